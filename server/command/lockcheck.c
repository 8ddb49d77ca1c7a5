/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/lockcheck.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "server/command/cells.h"

/* What people and programs are told of a state. */
static const struct {
	const char *name;
	const char *words;
} states[LOCK_STATE_COUNT] = {
	[LOCK_UNCHECKED] = {"unchecked", "nobody has looked"},
	[LOCK_SAME] = {"same", "is as it was locked"},
	[LOCK_UNKNOWN] = {"not-known", "is not known there"},
	[LOCK_NOT_CACHED] = {"not-cached",
		"is known there, but its bytes are not; \"larder prefetch\" has them "
		"fetched"},
	[LOCK_WITHDRAWN] = {"withdrawn", "was withdrawn there"},
	[LOCK_QUARANTINED] = {"quarantined", "is held back there, since an upstream has other bytes"},
	[LOCK_DIFFERENT] = {"different", "is different"},
};

/* ---- looking ---- */

/* A path of digits may be read as another's: then this one is not known. */
static bool is_version(const json_t *json, const struct locked *locked)
{
	return strcmp(cell_text(json, "handle"), locked->handle) == 0 &&
	       json_integer_value(json_object_get(json, "version")) == locked->version;
}

static bool find_artifact(
	const json_t *version, const struct locked *locked, struct locked *out, bool *cached)
{
	const json_t *artifact;
	size_t i;

	json_array_foreach(json_object_get(version, "artifacts"), i, artifact)
	{
		if (!locked_take(out, artifact) || out->format != locked->format)
			continue;
		*cached = json_is_true(json_object_get(artifact, "cached"));
		return true;
	}
	return false;
}

/* What is not active is not served, whatever its bytes are. */
static enum lock_state find_withheld(const json_t *version, enum lock_state otherwise)
{
	static const enum lock_state withheld[] = {LOCK_WITHDRAWN, LOCK_QUARANTINED};

	for (size_t i = 0; i < sizeof withheld / sizeof *withheld; i++) {
		if (strcmp(cell_text(version, "state"), states[withheld[i]].name) == 0)
			return withheld[i];
	}
	return otherwise;
}

static enum lock_state judge(const json_t *version, struct locked *locked)
{
	struct locked found = {0};
	bool cached;

	if (!version || !find_artifact(version, locked, &found, &cached))
		return LOCK_UNKNOWN;
	locked->found_digest = found.digest;
	locked->found_bytes = found.size_bytes;
	if (found.size_bytes != locked->size_bytes || !digest_equal(&found.digest, &locked->digest))
		return LOCK_DIFFERENT;
	return find_withheld(version, cached ? LOCK_SAME : LOCK_NOT_CACHED);
}

/* *out stays NULL where the registry does not know it. */
static bool get_version(struct remote *remote, const struct locked *locked, json_t **out, struct err *err)
{
	AUTO_FREE char *target = mem_printf("/api/v1/modules/%s/%" PRId64, locked->handle, locked->version);

	if (!remote_get(remote, target, out, err))
		return err->code == ERR_NOT_FOUND;
	if (!is_version(*out, locked)) {
		json_decref(*out);
		*out = NULL;
	}
	return true;
}

static bool same_version(const struct locked *a, const struct locked *b)
{
	return a->version == b->version && strcmp(a->handle, b->handle) == 0;
}

/* Those of one version. */
static bool check_version(struct remote *remote, struct locked *items, size_t count, struct err *err)
{
	json_auto_t *version = NULL;
	bool same = true;

	for (size_t i = 0; i < count; i++)
		same = same && items[i].state == LOCK_SAME;
	if (same)
		return true;
	if (!get_version(remote, items, &version, err))
		return false;
	for (size_t i = 0; i < count; i++)
		items[i].state = judge(version, &items[i]);
	return true;
}

bool lockcheck_run(struct remote *remote, struct lockfile *lockfile, struct err *err)
{
	size_t count;

	for (size_t i = 0; i < lockfile->count; i += count) {
		struct locked *first = &lockfile->items[i];

		for (count = 1; i + count < lockfile->count && same_version(first, first + count);)
			count++;
		if (!check_version(remote, first, count, err))
			return false;
	}
	return true;
}

/* ---- telling ---- */

bool lockcheck_is_fault(const struct locked *locked)
{
	return locked->state != LOCK_UNCHECKED && locked->state != LOCK_SAME;
}

bool lockcheck_is_withheld(const struct locked *locked)
{
	return locked->state == LOCK_DIFFERENT || locked->state == LOCK_WITHDRAWN ||
	       locked->state == LOCK_QUARANTINED;
}

size_t lockcheck_count(const struct lockfile *lockfile, enum lock_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < lockfile->count; i++)
		count += lockfile->items[i].state == state;
	return count;
}

void lockcheck_tell(const struct locked *locked)
{
	AUTO_FREE char *path = locked_path(locked);

	(void)fprintf(stderr, "larder: %s: %s", path, states[locked->state].words);
	if (locked->state == LOCK_DIFFERENT)
		(void)fprintf(stderr,
			": there it is sha256:%s with %" PRId64 " bytes, locked is sha256:%s with %" PRId64
			" bytes",
			locked->found_digest.hex, locked->found_bytes, locked->digest.hex,
			locked->size_bytes);
	(void)fputc('\n', stderr);
}

json_t *lockcheck_json(const struct locked *locked)
{
	AUTO_FREE char *path = locked_path(locked);
	json_t *object = json_pack("{s:s, s:s, s:s+, s:I}", "path", path, "state", states[locked->state].name,
		"digest", "sha256:", locked->digest.hex, "size_bytes", (json_int_t)locked->size_bytes);

	if (locked->state == LOCK_DIFFERENT)
		(void)json_object_update_new(
			object, json_pack("{s:s+, s:I}", "found_digest", "sha256:", locked->found_digest.hex,
					"found_size_bytes", (json_int_t)locked->found_bytes));
	return object;
}
