/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/bucket_names.h"

#include <stdio.h>
#include <string.h>

#include "common/own.h"
#include "server/upstream/s3/bucket.h"
#include "server/vault/bucket_pages.h"
#include "server/vault/identity_record.h"
#include "server/vault/vault_keys.h"

bool bucket_names_look_gone(
	const struct bucket_objects *objects, const struct name *name, bool *gone, struct err *err)
{
	struct vault_key key = vault_key_of(VAULT_GONE_MARKS, name);

	return objects_look(objects, key.text, gone, NULL, err);
}

bool bucket_names_read_identity(const struct bucket_objects *objects, const struct name *name, bool *found,
	struct identity *out, struct err *err)
{
	struct vault_key key = vault_key_of(VAULT_IDS, name);
	AUTO_BUFFER struct buffer text = {0};

	return objects_read(objects, key.text, found, &text, err) &&
	       (!*found || identity_read(buffer_string(&text), text.length, name, out, err));
}

bool bucket_names_read_published(const struct bucket_objects *objects, const struct name *name,
	struct identity *identity, struct err *err)
{
	struct vault_key key = vault_key_of(VAULT_PUBLISHED, name);
	AUTO_BUFFER struct buffer text = {0};
	struct mark mark;
	bool found;

	if (identity->source == SOURCE_PUBLISHED)
		return true;
	if (!objects_read(objects, key.text, &found, &text, err) ||
		(found && !mark_read(buffer_string(&text), text.length, &mark, err)))
		return false;
	if (found) {
		identity->source = SOURCE_PUBLISHED;
		(void)strcpy(identity->who, mark.who);
		(void)strcpy(identity->nonce, mark.nonce);
	}
	return true;
}

static bool note_format(void *context, const char *key, int64_t length)
{
	struct formats_there *formats_there = context;
	struct name name;

	if (vault_key_read(VAULT_IDS, key, &name)) {
		formats_there->there[name.format] = true;
		formats_there->count++;
	}
	return true;
}

/* A bucket that has gone has none of anything, and is told from here. */
bool bucket_names_list_formats(const struct bucket_objects *objects, const struct name *name,
	struct formats_there *out, struct err *err)
{
	struct vault_key under = vault_keys_of_version(VAULT_IDS, name);
	const struct bucket_page page = {.under = under.text,
		.limit = FORMAT_COUNT,
		.stop = objects->stop,
		.object = note_format,
		.context = out};
	enum bucket_outcome outcome;
	bool more;

	*out = (struct formats_there){0};
	if (!objects_may_ask(objects, err))
		return false;
	outcome = bucket_list(objects->bucket, &page, &more, NULL, err);
	if (outcome == BUCKET_ABSENT)
		outcome = BUCKET_REFUSED;
	return objects_note(objects, false, outcome, err) == BUCKET_DONE;
}

bool bucket_names_look_published(const struct bucket_objects *objects, const struct name *name,
	const struct formats_there *formats_there, bool *out, struct err *err)
{
	struct name other = *name;

	*out = false;
	for (int i = 0; i < FORMAT_COUNT && !*out; i++) {
		struct identity identity;
		bool found;

		other.format = (enum format)i;
		if (!formats_there->there[i])
			continue;
		if (!bucket_names_read_identity(objects, &other, &found, &identity, err) ||
			(found && !bucket_names_read_published(objects, &other, &identity, err)))
			return false;
		*out = found && identity.source == SOURCE_PUBLISHED;
	}
	return true;
}

static bool find_absent(const struct bucket_objects *objects, const struct name *name,
	enum vault_standing *out, struct err *err)
{
	struct formats_there formats_there;
	bool published;

	if (!bucket_names_list_formats(objects, name, &formats_there, err) ||
		!bucket_names_look_published(objects, name, &formats_there, &published, err))
		return false;
	*out = published ? VAULT_LACKING : VAULT_UNKNOWN;
	return true;
}

bool bucket_names_find(const struct bucket_objects *objects, const struct name *name,
	enum vault_standing *out, struct identity *identity, struct err *err)
{
	bool gone;
	bool found;

	if (!bucket_names_look_gone(objects, name, &gone, err))
		return false;
	*out = VAULT_GONE;
	if (gone)
		return true;
	if (!bucket_names_read_identity(objects, name, &found, identity, err))
		return false;
	if (!found)
		return find_absent(objects, name, out, err);
	*out = VAULT_RECORDED;
	return bucket_names_read_published(objects, name, identity, err);
}

/* ---- versions ---- */

struct numbers {
	enum vault_kind kind;
	const char *handle;
	int64_t last;
};

static bool note_number(void *context, const struct listed_object *object, bool *over, struct err *err)
{
	struct numbers *numbers = context;
	struct name name;

	if (vault_key_read(numbers->kind, object->key, &name) && strcmp(name.handle, numbers->handle) == 0 &&
		name.version > numbers->last)
		numbers->last = name.version;
	return true;
}

/* Keys are in the order of letters, not of numbers: all have to be looked at. What was withdrawn before
 * anybody kept it here has a tombstone only. */
bool bucket_names_last_version(
	const struct bucket_objects *objects, const char *handle, int64_t *out, struct err *err)
{
	static const enum vault_kind kinds[] = {VAULT_IDS, VAULT_GONE_MARKS};
	struct numbers numbers = {.handle = handle};
	const struct page_visitor visitor = {note_number, &numbers};
	struct name any = {.version = 1};

	(void)snprintf(any.handle, sizeof any.handle, "%s", handle);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		numbers.kind = kinds[i];
		if (!bucket_pages_walk(objects, vault_keys_of_handle(kinds[i], &any).text, &visitor, err))
			return false;
	}
	*out = numbers.last;
	return true;
}

/* ---- all of them ---- */

struct counting {
	const struct bucket_objects *objects;
	const struct vault_census *census;
};

/* What another version of Larder has put there is passed over. */
static bool count_one(void *context, const struct listed_object *object, bool *over, struct err *err)
{
	const struct counting *counting = context;
	struct identity identity;
	struct name name;
	bool found;

	if (!vault_key_read(VAULT_IDS, object->key, &name))
		return true;
	if (!bucket_names_read_identity(counting->objects, &name, &found, &identity, err) ||
		(found && !bucket_names_read_published(counting->objects, &name, &identity, err)))
		return false;
	return !found || counting->census->recorded(counting->census->context, &name, &identity, err);
}

bool bucket_names_each(
	const struct bucket_objects *objects, const struct vault_census *census, struct err *err)
{
	struct counting counting = {objects, census};
	const struct page_visitor visitor = {count_one, &counting};

	return bucket_pages_walk(objects, vault_keys_under(VAULT_IDS), &visitor, err);
}
