/* SPDX-License-Identifier: Apache-2.0
 *
 * The names that an archive has had so far: what is new, what is there already, what differs from another in
 * case only, which folders are missing. Looking up takes logarithmic time, whatever names a stranger chooses.
 */
#ifndef SERVER_MODULE_TREE_H
#define SERVER_MODULE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_entry {
	char *path; /* as it was first written */
	bool is_folder;
	bool is_implied; /* a folder that only its files speak of */
	int64_t size_bytes;
	uint32_t crc;  /* of a file's content */
	char folded[]; /* the path with case folded: entries lie in this order */
};

struct tree;

struct tree *tree_create(void);
void tree_destroy(struct tree *tree);

/* The entry with this path, or NULL. */
struct tree_entry *tree_find(const struct tree *tree, const char *path);

/* An entry whose path is the same but for case, or the same, or NULL. */
const struct tree_entry *tree_find_folded(const struct tree *tree, const char *path);

/* Adds a member in normal form that tree_find does not find, and returns it; it stays the tree's. *missing is
 * the folder nearest to it that had no entry of its own, or NULL; it and those above are implied from here
 * on. */
struct tree_entry *tree_add(struct tree *tree, const char *path, bool is_folder, int64_t size_bytes,
	const struct tree_entry **missing);

/* Bytes of memory behind all entries. */
int64_t tree_bytes(const struct tree *tree);

#endif
