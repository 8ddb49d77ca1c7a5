/* SPDX-License-Identifier: Apache-2.0
 *
 * What lies unpacked: which archives, the bytes of each, and which of them was used least recently. A record
 * in memory; the folders themselves are the members' business, and so is the mutex around it. */
#ifndef SERVER_STORE_UNPACKED_FOLDERS_H
#define SERVER_STORE_UNPACKED_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"

struct folder {
	struct digest digest;
	int64_t bytes;
	int64_t used;     /* higher is later */
	int64_t whole_at; /* all files were there when it was changed last, in nanoseconds since 1970; 0:
			     unknown */
};

/* Zeroed, it is empty. */
struct folders {
	struct folder *rows; /* by digest */
	size_t count;
	size_t capacity;
	int64_t bytes; /* of all */
	int64_t now;
};
void folders_finish(struct folders *folders);

/* Adds a folder that was used then, or replaces what is known of it. */
void folders_put(struct folders *folders, const struct digest *digest, int64_t bytes, int64_t used);

/* Used now; one that is not there is none. */
void folders_touch(struct folders *folders, const struct digest *digest);

/* That all files were there after its last change, and whether that is known. */
void folders_note_whole(struct folders *folders, const struct digest *digest, int64_t changed_at);
bool folders_are_whole(const struct folders *folders, const struct digest *digest, int64_t changed_at);

/* Returns whether it was there. */
bool folders_drop(struct folders *folders, const struct digest *digest);

/* The one that was used least recently, of those that may_go allows; NULL where there is none. */
const struct folder *folders_find_oldest(const struct folders *folders,
	bool (*may_go)(void *context, const struct digest *digest), void *context);

#endif
