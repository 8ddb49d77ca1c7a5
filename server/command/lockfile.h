/* SPDX-License-Identifier: Apache-2.0
 *
 * Lock files: which artifacts, to the byte (docs/air-gap.md). Written sorted, one artifact a line, so that
 * the same artifacts always give the same bytes; read as a stranger's. */
#ifndef SERVER_COMMAND_LOCKFILE_H
#define SERVER_COMMAND_LOCKFILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"

enum { LOCKFILE_VERSION = 1, LOCKFILE_ARTIFACTS_MAX = 100000, LOCKFILE_BYTES_MAX = 32 << 20 };

/* What a registry has of a locked artifact; LOCK_UNCHECKED: nobody has looked. */
enum lock_state {
	LOCK_UNCHECKED,
	LOCK_SAME,
	LOCK_UNKNOWN,
	LOCK_NOT_CACHED,
	LOCK_WITHDRAWN,
	LOCK_QUARANTINED,
	LOCK_DIFFERENT,
	LOCK_STATE_COUNT
};

struct locked {
	char *handle;
	int64_t version;
	enum format format;
	struct digest digest;
	int64_t size_bytes;
	enum lock_state state;
	struct digest found_digest; /* what is there in its place, for LOCK_DIFFERENT */
	int64_t found_bytes;
};

struct lockfile {
	struct locked *items;
	size_t count;
	size_t capacity;
};
void lockfile_finish(struct lockfile *lockfile);
#define AUTO_LOCKFILE AUTO(lockfile_finish)

/* "google/x/1?tf-hub-format=compressed", as prefetch takes it; free() it. */
char *locked_path(const struct locked *locked);

/* Takes format, digest and size of an object that has them: an artifact in the API's JSON of a version. */
bool locked_take(struct locked *locked, const json_t *artifact);

/* Adds an artifact, copied. ERR_BAD_REQUEST for a handle and a version that no path can name, and where there
 * are LOCKFILE_ARTIFACTS_MAX. */
bool lockfile_add(struct lockfile *lockfile, const struct locked *locked, struct err *err);

/* Sorts; of those that are the same to the byte one is left. ERR_BAD_REQUEST where an artifact is there twice
 * with other bytes. */
bool lockfile_sort(struct lockfile *lockfile, struct err *err);

/* Appends the file's text, of what was sorted. */
void lockfile_write(const struct lockfile *lockfile, struct buffer *out);

/* Whether what comes next in a file may be a lock file, as opposed to a list of paths. Skips blanks. */
bool lockfile_is_next(FILE *file);

/* Reads the rest of a file, and sorts. ERR_BAD_REQUEST, with a sentence that says where, for what is no lock
 * file, or has a version that is not known here; ERR_TOO_LARGE over LOCKFILE_BYTES_MAX. */
bool lockfile_read(FILE *file, struct lockfile *out, struct err *err);

#endif
