/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/bucket_sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/upstream/s3/bucket.h"
#include "server/vault/bucket_health.h"
#include "server/vault/bucket_names.h"
#include "server/vault/bucket_objects.h"
#include "server/vault/bucket_pages.h"
#include "server/vault/vault_keys.h"

enum { NAMED = 1 << 0, PUBLISHED = 1 << 1, STAYS = 1 << 2, MAY_GO = 1 << 3 };

static const char blobs_under[] = "blobs/sha256/";

/* What is known of a digest: who names it, and where its blob may go for others, what that is. */
struct named {
	uint8_t digest[32];
	unsigned flags;
	int64_t used_s; /* ago: of the store's clock, and of this node's */
	int64_t size_bytes;
	int64_t age_s;
};

/* Names of which something is known, as digests of what stands behind "gone/" and so on. */
struct marks {
	uint8_t (*items)[32];
	size_t count;
	size_t capacity;
};

struct sweeping {
	const struct sweep *sweep;
	struct bucket_health health;
	struct bucket_objects objects;
	struct marks gone;
	struct marks published;
	struct named *named;
	size_t count;
	size_t capacity;
	size_t at; /* in named: where the listing of blobs is */
	int64_t mirrored_bytes;
};

static void finish(struct sweeping *sweeping)
{
	free(sweeping->gone.items);
	free(sweeping->published.items);
	free(sweeping->named);
	bucket_health_finish(&sweeping->health);
}

/* ---- removing ---- */

static void tell(const struct sweeping *sweeping, const char *key, enum sweep_reason reason,
	int64_t size_bytes, int64_t age_s)
{
	const struct sweep_item item = {key, reason, size_bytes, age_s};

	sweeping->sweep->tell(sweeping->sweep->context, &item);
}

static bool remove_object(const struct sweeping *sweeping, const struct listed_object *object,
	enum sweep_reason reason, struct err *err)
{
	if (!sweeping->sweep->dry_run) {
		if (!objects_may_ask(&sweeping->objects, err) ||
			objects_note(&sweeping->objects, true,
				bucket_delete(sweeping->objects.bucket, object->key, err),
				err) != BUCKET_DONE)
			return false;
	}
	tell(sweeping, object->key, reason, object->size_bytes, object->age_s);
	return true;
}

/* Looks once more right before: it may have been written anew since it was listed. *gone: it goes. */
static bool remove_blob(const struct sweeping *sweeping, const struct listed_object *object,
	enum sweep_reason reason, bool *gone, struct err *err)
{
	struct bucket_facts facts = {0};
	int64_t age_s;

	*gone = false;
	if (!objects_look(&sweeping->objects, object->key, gone, &facts, err))
		return false;
	age_s = facts.date_s - facts.modified_s;
	*gone = *gone && facts.date_s > 0 && facts.modified_s > 0 && age_s >= sweeping->sweep->grace_s;
	return !*gone || remove_object(sweeping, object, reason, err);
}

/* ---- what is known of names ---- */

static int compare_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

static void marks_add(struct marks *marks, const char *text)
{
	struct digest digest = digest_of(text, strlen(text));

	if (marks->count == marks->capacity) {
		marks->capacity = marks->capacity > 0 ? 2 * marks->capacity : 256;
		marks->items = mem_resize(marks->items, marks->capacity, sizeof *marks->items);
	}
	memcpy(marks->items[marks->count++], digest.bytes, sizeof digest.bytes);
}

static void marks_sort(struct marks *marks)
{
	if (marks->count > 0)
		qsort(marks->items, marks->count, sizeof *marks->items, compare_bytes);
}

static bool marks_have(const struct marks *marks, enum vault_kind kind, const struct name *name)
{
	struct vault_key key = vault_key_of(kind, name);
	struct digest digest = digest_of(key.text, strlen(key.text));

	return marks->count > 0 &&
	       bsearch(digest.bytes, marks->items, marks->count, sizeof *marks->items, compare_bytes);
}

/* A withdrawal counts once it is as old as what may go: until then somebody may be sending the bytes. */
static bool note_gone(void *context, const struct listed_object *object, bool *over, struct err *err)
{
	struct sweeping *sweeping = context;

	if (object->age_s >= sweeping->sweep->grace_s)
		marks_add(&sweeping->gone, object->key);
	return true;
}

static bool note_published(void *context, const struct listed_object *object, bool *over, struct err *err)
{
	struct sweeping *sweeping = context;

	marks_add(&sweeping->published, object->key);
	return true;
}

/* ---- identities ---- */

static void add_named(struct sweeping *sweeping, const struct named *named)
{
	if (sweeping->count == sweeping->capacity) {
		sweeping->capacity = sweeping->capacity > 0 ? 2 * sweeping->capacity : 1024;
		sweeping->named = mem_resize(sweeping->named, sweeping->capacity, sizeof *sweeping->named);
	}
	sweeping->named[sweeping->count++] = *named;
}

/* What this node knows is asked only where it may decide. */
static bool describe(struct sweeping *sweeping, const struct name *name, const struct identity *identity,
	struct named *out, struct err *err)
{
	const struct sweep *sweep = sweeping->sweep;
	bool stays = false;

	if (marks_have(&sweeping->gone, VAULT_GONE_MARKS, name))
		return true;
	out->flags = NAMED;
	if (identity->source == SOURCE_PUBLISHED || marks_have(&sweeping->published, VAULT_PUBLISHED, name))
		out->flags |= PUBLISHED;
	else if (sweep->max_bytes > 0 && !sweep->look(sweep->context, name, &out->used_s, &stays, err))
		return false;
	if (stays)
		out->flags |= STAYS;
	return true;
}

static bool refuse_unread(const char *key, struct err *err)
{
	return err_set(err, ERR_UPSTREAM_FAILED,
		"the bucket has %.300s among its identities, which this version of Larder cannot read: "
		"nothing is swept, since it may name any of the bytes",
		key);
}

static bool note_identity(void *context, const struct listed_object *object, bool *over, struct err *err)
{
	struct sweeping *sweeping = context;
	struct named named = {.flags = 0};
	struct identity identity;
	struct name name = {.format = FORMAT_TF_HUB};
	bool found;

	if (!vault_key_read(VAULT_IDS, object->key, &name))
		return refuse_unread(object->key, err);
	if (!bucket_names_read_identity(&sweeping->objects, &name, &found, &identity, err))
		return false;
	/* Nobody removes one. */
	if (!found)
		return refuse_unread(object->key, err);
	memcpy(named.digest, identity.checksums.sha256.bytes, sizeof named.digest);
	if (!describe(sweeping, &name, &identity, &named, err))
		return false;
	add_named(sweeping, &named);
	return true;
}

/* One of each digest, by digests. */
static void merge_named(struct sweeping *sweeping)
{
	size_t kept = 0;

	if (sweeping->count == 0)
		return;
	qsort(sweeping->named, sweeping->count, sizeof *sweeping->named, compare_bytes);
	for (size_t i = 1; i < sweeping->count; i++) {
		struct named *last = &sweeping->named[kept];
		const struct named *next = &sweeping->named[i];

		if (compare_bytes(last, next) != 0) {
			sweeping->named[++kept] = *next;
			continue;
		}
		last->flags |= next->flags;
		last->used_s = last->used_s > next->used_s ? last->used_s : next->used_s;
	}
	sweeping->count = kept + 1;
}

/* ---- blobs ---- */

static bool read_blob_key(const char *key, struct digest *out)
{
	return strlen(key) > sizeof blobs_under + 2 && digest_parse(key + sizeof blobs_under + 2, out) &&
	       strcmp(vault_key_blob(out).text, key) == 0;
}

/* The listing is in the order of digests, too. */
static struct named *find_named(struct sweeping *sweeping, const struct digest *digest)
{
	while (sweeping->at < sweeping->count &&
		compare_bytes(sweeping->named[sweeping->at].digest, digest->bytes) < 0)
		sweeping->at++;
	if (sweeping->at < sweeping->count &&
		compare_bytes(sweeping->named[sweeping->at].digest, digest->bytes) == 0)
		return &sweeping->named[sweeping->at];
	return NULL;
}

static bool look_at_blob(void *context, const struct listed_object *object, bool *over, struct err *err)
{
	struct sweeping *sweeping = context;
	bool is_old = object->age_s >= sweeping->sweep->grace_s;
	struct digest digest;
	struct named *named;
	bool gone;

	/* What others have put there is theirs. */
	if (!read_blob_key(object->key, &digest))
		return true;
	named = find_named(sweeping, &digest);
	if (!named || !(named->flags & NAMED))
		return !is_old ||
		       remove_blob(sweeping, object, named ? SWEEP_WITHDRAWN : SWEEP_UNNAMED, &gone, err);
	if (named->flags & PUBLISHED)
		return true;
	sweeping->mirrored_bytes += object->size_bytes;
	named->size_bytes = object->size_bytes;
	named->age_s = object->age_s;
	if (is_old && !(named->flags & STAYS))
		named->flags |= MAY_GO;
	return true;
}

/* ---- the limit ---- */

/* How long ago it was used: by this node, as it knows, or by whoever has written it, whichever is less. */
static int64_t idle_s(const struct named *named, int64_t now_s)
{
	int64_t here_s = now_s - named->used_s;

	return named->used_s > 0 && here_s < named->age_s ? here_s : named->age_s;
}

static int compare_idle(const void *a, const void *b)
{
	const struct named *one = a;
	const struct named *other = b;

	return (one->used_s < other->used_s) - (one->used_s > other->used_s);
}

/* Those that may go, the longest idle first: used_s is how long that is from here on. */
static size_t sort_idle(struct sweeping *sweeping)
{
	int64_t now_s = clock_now_s();
	size_t count = 0;

	for (size_t i = 0; i < sweeping->count; i++) {
		struct named *named = &sweeping->named[i];

		if (!(named->flags & MAY_GO))
			continue;
		named->used_s = idle_s(named, now_s);
		sweeping->named[count++] = *named;
	}
	if (count > 0)
		qsort(sweeping->named, count, sizeof *sweeping->named, compare_idle);
	return count;
}

static bool hold_limit(struct sweeping *sweeping, struct err *err)
{
	int64_t max_bytes = sweeping->sweep->max_bytes;
	size_t count;

	if (max_bytes <= 0 || sweeping->mirrored_bytes <= max_bytes)
		return true;
	count = sort_idle(sweeping);
	for (size_t i = 0; i < count && sweeping->mirrored_bytes > max_bytes; i++) {
		const struct named *named = &sweeping->named[i];
		struct digest digest = digest_from_bytes(named->digest);
		struct vault_key key = vault_key_blob(&digest);
		const struct listed_object object = {key.text, named->size_bytes, named->age_s};
		bool gone;

		if (!remove_blob(sweeping, &object, SWEEP_LIMIT, &gone, err))
			return false;
		if (gone)
			sweeping->mirrored_bytes -= named->size_bytes;
	}
	return true;
}

/* ---- leases and hints ---- */

static bool look_at_lease(void *context, const struct listed_object *object, bool *over, struct err *err)
{
	return object->age_s < SWEEP_KEEP_S || remove_object(context, object, SWEEP_LEASE, err);
}

/* Their keys stand in the order of time. */
static bool look_at_hint(void *context, const struct listed_object *object, bool *over, struct err *err)
{
	*over = object->age_s < SWEEP_KEEP_S;
	return *over || remove_object(context, object, SWEEP_HINT, err);
}

/* ---- the sweep ---- */

static bool walk(struct sweeping *sweeping, const char *under,
	bool (*visit)(void *context, const struct listed_object *object, bool *over, struct err *err),
	struct err *err)
{
	const struct page_visitor visitor = {visit, sweeping};

	return bucket_pages_walk(&sweeping->objects, under, &visitor, err);
}

/* Identities last of what names blobs, and before any blob. */
static bool read_names(struct sweeping *sweeping, struct err *err)
{
	if (!walk(sweeping, vault_keys_under(VAULT_GONE_MARKS), note_gone, err) ||
		!walk(sweeping, vault_keys_under(VAULT_PUBLISHED), note_published, err))
		return false;
	marks_sort(&sweeping->gone);
	marks_sort(&sweeping->published);
	if (!walk(sweeping, vault_keys_under(VAULT_IDS), note_identity, err))
		return false;
	merge_named(sweeping);
	return true;
}

bool bucket_sweep_run(const struct sweep *sweep, struct err *err)
{
	AUTO(finish) struct sweeping sweeping = {.sweep = sweep};

	bucket_health_init(&sweeping.health);
	sweeping.objects = (struct bucket_objects){.bucket = sweep->bucket, .health = &sweeping.health};
	return read_names(&sweeping, err) && walk(&sweeping, blobs_under, look_at_blob, err) &&
	       hold_limit(&sweeping, err) &&
	       walk(&sweeping, vault_keys_under(VAULT_LEASES), look_at_lease, err) &&
	       walk(&sweeping, "feed/", look_at_hint, err);
}
