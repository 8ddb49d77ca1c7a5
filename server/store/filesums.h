/* SPDX-License-Identifier: Apache-2.0
 *
 * The SHA-256 of an archive's files, by their paths: as many as an examination lists of one. */
#ifndef SERVER_STORE_FILESUMS_H
#define SERVER_STORE_FILESUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filesum {
	char *path; /* in normal form */
	uint8_t sha256[32];
	size_t order; /* as they were added */
};

/* Zeroed, it is empty. */
struct filesums {
	struct filesum *items;
	size_t count;
	size_t capacity;
	size_t bytes;
	bool full; /* and sorted, so that what comes again is found */
};
void filesums_finish(struct filesums *sums);

/* Does nothing where there are too many already; but where the path came before, all are dropped then, since
 * an old one would be told of it. */
void filesums_add(struct filesums *sums, const char *path, const uint8_t sha256[32]);

/* Once all are there, and before any is looked for: of equal paths the last one stays. */
void filesums_sort(struct filesums *sums);

/* NULL where it is not among them. */
const struct filesum *filesums_find(const struct filesums *sums, const char *path);

#endif
