/* SPDX-License-Identifier: Apache-2.0
 *
 * The names that an archive has had so far, as a file system that ignores case would see them: what is new,
 * what is there already, which folders are missing. Looking up takes logarithmic time, whatever names a
 * stranger chooses. */
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
	char folded[]; /* the path with case folded: what entries are found by */
};

struct tree;

struct tree *tree_create(void);
void tree_destroy(struct tree *tree);

/* The entry with this path, in whatever case, or NULL. */
const struct tree_entry *tree_find(const struct tree *tree, const char *path);

/* Adds a member in normal form that tree_find does not find. *missing is the folder nearest to it that had no
 * entry of its own, or NULL; it and those above are implied from here on. */
void tree_add(struct tree *tree, const char *path, bool is_folder, int64_t size_bytes,
	const struct tree_entry **missing);

/* An implied folder gets an entry of its own after all. */
void tree_confirm(struct tree *tree, const char *path);

/* Bytes of memory behind all entries. */
int64_t tree_bytes(const struct tree *tree);

/* Folds ASCII, Latin, Greek and Cyrillic capitals in UTF-8; never changes the length. No normalisation. */
void tree_fold(char *text);

#endif
