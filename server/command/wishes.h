/* SPDX-License-Identifier: Apache-2.0
 *
 * What prefetch is to bring: a list of paths, read from people and files, and what became of each. */
#ifndef SERVER_COMMAND_WISHES_H
#define SERVER_COMMAND_WISHES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/err.h"

/* A line of a file has a path, and behind it what a want list tells. */
enum { WISH_PATH_MAX = 1024, WISH_LINE_MAX = 4096, WISHES_MAX = 100000 };

/* WISH_LEFT: a lock file has it otherwise than the server, which is told elsewhere. */
enum wish_state { WISH_OPEN, WISH_RUNNING, WISH_KEPT, WISH_HERE, WISH_FAILED, WISH_LEFT, WISH_STATE_COUNT };

/* One path that is to be there in the end. */
struct wish {
	char *path;
	char *asked; /* the path without a version that stood in its place; NULL: none */
	enum wish_state state;
	int tries;
	json_int_t id; /* of its fill, with the time at which that began: ids begin anew with the server */
	char *started_at;
	json_int_t bytes;
	char *code; /* why it failed, as are the words */
	char *detail;
};

struct wishes {
	struct wish *items;
	size_t count;
	size_t capacity;
};
void wishes_finish(struct wishes *wishes);

/* Adds a path, copied. ERR_BAD_REQUEST for one that is too long or not in UTF-8. */
bool wishes_add(struct wishes *wishes, const char *path, struct err *err);

/* Adds the paths of a file, one a line; empty lines and those that begin with # are skipped. ERR_BAD_REQUEST,
 * ERR_TOO_LARGE for what is no list of paths. */
bool wishes_read(struct wishes *wishes, FILE *file, struct err *err);

/* Gives it another path, taken: that of the version which its path, that named none, means. */
void wish_rename(struct wish *wish, char *path);

size_t wishes_count(const struct wishes *wishes, enum wish_state state);

/* Ends a wish; why is a JSON object with code and detail, for WISH_FAILED only. */
void wish_end(struct wish *wish, enum wish_state state, const json_t *why);

/* Prints what became of it: failures to standard error, the others, unless quiet, to standard output. */
void wish_tell(const struct wish *wish, bool quiet);

/* {"paths": […], "kept", "already_here", "failed"} */
json_t *wishes_json(const struct wishes *wishes);

#endif
