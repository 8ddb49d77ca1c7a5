/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/bucket_changes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/digest.h"
#include "server/upstream/s3/bucket.h"
#include "server/vault/bucket_health.h"
#include "server/vault/vault_keys.h"

static const char feed[] = "feed/";

/* Which objects tell of it. */
static const enum vault_kind kinds[CHANGE_COUNT] = {
	[CHANGE_WITHDRAWN] = VAULT_GONE_MARKS,
	[CHANGE_TOKEN] = VAULT_TOKENS,
	[CHANGE_PIN] = VAULT_PINS,
	[CHANGE_KEPT] = VAULT_IDS,
	[CHANGE_PUBLISHED] = VAULT_PUBLISHED,
	[CHANGE_HELD] = VAULT_HOLDS,
	[CHANGE_DOCUMENTED] = VAULT_DOCS,
};

enum vault_kind bucket_changes_kind(enum vault_change change)
{
	return kinds[change];
}

/* "feed/", 16 digits, "-", 8 digits, "/". */
enum {
	HINT_BYTES = sizeof feed - 1 + 16 + 1 + 8 + 1,
	MS_A_S = 1000,
	KEEP_S = 7 * 24 * 3600,
	SWEPT_AT_ONCE = 200
};

static enum bucket_outcome note(
	const struct bucket_objects *objects, bool writes, enum bucket_outcome outcome, const struct err *why)
{
	bucket_health_note(objects->health, writes, outcome, why);
	return outcome;
}

/* ---- telling ---- */

/* By the store's clock, which all nodes ask. */
static bool find_time(const struct bucket_objects *objects, const char *key, int64_t *out, struct err *err)
{
	struct bucket_facts facts = {0};
	bool there;

	if (!objects_look(objects, key, &there, &facts, err))
		return false;
	*out = facts.date_s > 0 ? facts.date_s : clock_now_s();
	return true;
}

bool bucket_changes_tell(const struct bucket_objects *objects, enum vault_change change,
	const struct name *name, struct err *err)
{
	struct vault_key key = vault_key_of(kinds[change], name);
	struct vault_key hint;
	struct digest digest = digest_of("", 0);
	const struct s3_body body = {.bytes = "", .length = 0, .sha256 = digest.hex, .stop = objects->stop};
	uint32_t chance;
	int64_t at_s;

	if (!find_time(objects, key.text, &at_s, err))
		return false;
	random_bytes(&chance, sizeof chance);
	if (snprintf(hint.text, sizeof hint.text, "%s%016" PRIx64 "-%08" PRIx32 "/%s", feed,
		    (uint64_t)(at_s * MS_A_S), chance, key.text) >= (int)sizeof hint.text)
		return err_set(err, ERR_INTERNAL, "a name that is too long to be told of");
	if (!bucket_health_may_ask(objects->health, err))
		return false;
	return note(objects, true, bucket_put(objects->bucket, hint.text, &body, NULL, NULL, err), err) ==
	       BUCKET_DONE;
}

/* ---- listing ---- */

/* Keys, each with its NUL. */
static bool take_key(void *keys, const char *key, int64_t length)
{
	buffer_add(keys, key, strlen(key) + 1);
	return true;
}

static bool read_page(const struct bucket_objects *objects, const char *under,
	const struct vault_place *place, struct buffer *keys, bool *more, struct err *err)
{
	const struct bucket_page page = {.under = under,
		.after = *place->after ? place->after : NULL,
		.limit = BUCKET_PAGE_MAX,
		.object = take_key,
		.context = keys};
	struct bucket_facts facts = {0};
	enum bucket_outcome outcome;

	if (!bucket_health_may_ask(objects->health, err))
		return false;
	outcome = bucket_list(objects->bucket, &page, more, &facts, err);
	bucket_health_note_date(objects->health, facts.date_s);
	/* A bucket that is gone says nothing of what was in it. */
	if (outcome == BUCKET_ABSENT)
		outcome = BUCKET_REFUSED;
	return note(objects, false, outcome, err) == BUCKET_DONE;
}

/* What a key tells; what another version of Larder wrote there tells nothing. */
static bool read_change(const char *key, enum vault_change *change, struct name *name)
{
	for (int i = 0; i < CHANGE_COUNT; i++) {
		*change = (enum vault_change)i;
		*name = (struct name){.format = FORMAT_TF_HUB};
		if (vault_key_read(kinds[i], key, name))
			return true;
	}
	return false;
}

/* What of a listing is told: keys below a place, behind as many letters, and of notes those from a key on. */
struct scope {
	const char *under;
	size_t skip;
	const char *notes_from;
};

static bool is_meant(const struct scope *scope, const char *key, enum vault_change *change, struct name *name)
{
	return strlen(key) > scope->skip && read_change(key + scope->skip, change, name) &&
	       (!change_is_note(*change) || strcmp(key, scope->notes_from) >= 0);
}

/* Tells of each key of a page. Outside of the request: the listener may take his time. False: he wants no
 * more. */
static bool tell_page(const struct buffer *keys, const struct scope *scope,
	const struct vault_listener *listener, struct vault_place *place)
{
	const char *text = buffer_string(keys);

	for (size_t at = 0; at < keys->length; at += strlen(text + at) + 1) {
		const char *key = text + at;
		enum vault_change change;
		struct name name;

		if (is_meant(scope, key, &change, &name) &&
			!listener->changed(listener->context, change, &name))
			return false;
		(void)snprintf(place->after, sizeof place->after, "%s", key);
	}
	return true;
}

/* *taken: the listener has taken all. */
static bool read_and_tell(const struct bucket_objects *objects, const struct scope *scope,
	const struct vault_listener *listener, struct vault_place *place, bool *more, bool *taken,
	struct err *err)
{
	AUTO_BUFFER struct buffer keys = {0};

	if (!read_page(objects, scope->under, place, &keys, more, err))
		return false;
	*taken = tell_page(&keys, scope, listener, place);
	return true;
}

/* ---- old hints ---- */

/* The keys of a page that are older, each with its NUL. */
struct old_hints {
	char before[HINT_BYTES + 1];
	struct buffer keys;
};

static bool take_old(void *context, const char *key, int64_t length)
{
	struct old_hints *old = context;

	if (strcmp(key, old->before) >= 0)
		return false;
	buffer_add(&old->keys, key, strlen(key) + 1);
	return true;
}

static void remove_all(const struct bucket_objects *objects, struct buffer *keys)
{
	const char *text = buffer_string(keys);
	enum bucket_outcome outcome = BUCKET_DONE;
	struct err err;

	for (size_t at = 0; at < keys->length && outcome == BUCKET_DONE; at += strlen(text + at) + 1) {
		if (!bucket_health_may_ask(objects->health, &err))
			return;
		outcome = note(objects, true, bucket_delete(objects->bucket, text + at, &err), &err);
	}
}

/* What stays is found the next time, by this node or another, and does no harm before. */
static void sweep(const struct bucket_objects *objects)
{
	struct old_hints old = {0};
	const struct bucket_page page = {
		.under = feed, .limit = SWEPT_AT_ONCE, .object = take_old, .context = &old};
	struct err err;
	bool more;

	(void)snprintf(old.before, sizeof old.before, "%s%016" PRIx64, feed,
		(uint64_t)((clock_now_s() - KEEP_S) * MS_A_S));
	if (bucket_health_may_ask(objects->health, &err)) {
		(void)note(objects, false, bucket_list(objects->bucket, &page, &more, NULL, &err), &err);
		remove_all(objects, &old.keys);
	}
	buffer_finish(&old.keys);
}

bool bucket_changes_list(const struct bucket_objects *objects, enum vault_change change,
	struct vault_place *place, const struct vault_listener *listener, bool *more, struct err *err)
{
	const struct scope scope = {vault_keys_under(kinds[change]), 0, ""};
	bool taken;

	if (!read_and_tell(objects, &scope, listener, place, more, &taken, err))
		return false;
	if (taken && !*more && change == CHANGE_WITHDRAWN)
		sweep(objects);
	*more = *more || !taken;
	return true;
}

/* Behind which the hints of a time by our clock stand. */
static struct vault_place place_of(const struct bucket_objects *objects, int64_t since_s)
{
	struct vault_place place;

	since_s += bucket_health_ahead_s(objects->health);
	(void)snprintf(place.after, sizeof place.after, "%s%016" PRIx64, feed,
		(uint64_t)((since_s > 0 ? since_s : 0) * MS_A_S));
	return place;
}

bool bucket_changes_poll(const struct bucket_objects *objects, int64_t since_s, int64_t notes_since_s,
	const struct vault_listener *listener, struct err *err)
{
	struct vault_place place = place_of(objects, since_s);
	const struct vault_place notes = place_of(objects, notes_since_s);
	const struct scope scope = {feed, HINT_BYTES, notes.after};
	bool more = true;
	bool taken = true;

	while (more && taken) {
		if (!read_and_tell(objects, &scope, listener, &place, &more, &taken, err))
			return false;
	}
	return true;
}
