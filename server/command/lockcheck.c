/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/lockcheck.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/command/cells.h"
#include "server/command/inventory.h"

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

static bool is_version(const json_t *json, const struct locked *locked)
{
	return strcmp(cell_text(json, "handle"), locked->handle) == 0 &&
	       json_integer_value(json_object_get(json, "version")) == locked->version;
}

static bool find_artifact(
	const json_t *version, const struct locked *locked, struct locked *out, const json_t **found)
{
	const json_t *artifact;
	size_t i;

	json_array_foreach(json_object_get(version, "artifacts"), i, artifact)
	{
		if (!locked_take(out, artifact) || out->format != locked->format)
			continue;
		*found = artifact;
		return true;
	}
	return false;
}

/* What is not active is not served, whatever its bytes are. */
static enum lock_state find_withheld(const json_t *object, enum lock_state otherwise)
{
	static const enum lock_state withheld[] = {LOCK_WITHDRAWN, LOCK_QUARANTINED};

	for (size_t i = 0; i < sizeof withheld / sizeof *withheld; i++) {
		if (strcmp(cell_text(object, "state"), states[withheld[i]].name) == 0)
			return withheld[i];
	}
	return otherwise;
}

static enum lock_state judge(const json_t *version, struct locked *locked)
{
	struct locked found = {0};
	const json_t *artifact;
	enum lock_state otherwise;

	if (!version || !find_artifact(version, locked, &found, &artifact))
		return LOCK_UNKNOWN;
	locked->found_digest = found.digest;
	locked->found_bytes = found.size_bytes;
	if (found.size_bytes != locked->size_bytes || !digest_equal(&found.digest, &locked->digest))
		return LOCK_DIFFERENT;
	otherwise = json_is_true(json_object_get(artifact, "cached")) ? LOCK_SAME : LOCK_NOT_CACHED;
	return find_withheld(version, find_withheld(artifact, otherwise));
}

static bool same_version(const struct locked *a, const struct locked *b)
{
	return a->version == b->version && strcmp(a->handle, b->handle) == 0;
}

/* How many artifacts are of the version that the first of these is of. */
static size_t count_of_version(const struct lockfile *lockfile, size_t first)
{
	size_t count = 1;

	while (first + count < lockfile->count &&
		same_version(&lockfile->items[first], &lockfile->items[first + count]))
		count++;
	return count;
}

static bool is_settled(const struct locked *items, size_t count)
{
	bool same = true;

	for (size_t i = 0; i < count; i++)
		same = same && items[i].state == LOCK_SAME;
	return same;
}

/* Versions that are to be asked for, and where their artifacts begin in the file. */
struct checking {
	struct lockfile *lockfile;
	json_t *paths;
	size_t *firsts;
};

static void finish_checking(struct checking *checking)
{
	json_decref(checking->paths);
	free(checking->firsts);
}

static void list_versions(struct checking *checking)
{
	const struct lockfile *lockfile = checking->lockfile;
	size_t count;

	checking->firsts = mem_zero(lockfile->count + 1, sizeof *checking->firsts);
	for (size_t i = 0; i < lockfile->count; i += count) {
		const struct locked *first = &lockfile->items[i];

		count = count_of_version(lockfile, i);
		if (is_settled(first, count))
			continue;
		checking->firsts[json_array_size(checking->paths)] = i;
		json_array_append_new(
			checking->paths, json_sprintf("%s/%" PRId64, first->handle, first->version));
	}
}

static bool judge_version(void *context, size_t place, const json_t *version, struct err *err)
{
	const struct checking *checking = context;
	size_t first = checking->firsts[place];
	size_t count = count_of_version(checking->lockfile, first);

	(void)err;
	for (size_t i = first; i < first + count; i++) {
		struct locked *locked = &checking->lockfile->items[i];

		locked->state = judge(version && is_version(version, locked) ? version : NULL, locked);
	}
	return true;
}

bool lockcheck_run(struct remote *remote, struct lockfile *lockfile, struct err *err)
{
	AUTO(finish_checking) struct checking checking = {.lockfile = lockfile, .paths = json_array()};

	list_versions(&checking);
	return inventory_ask(remote, checking.paths, judge_version, &checking, err);
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
