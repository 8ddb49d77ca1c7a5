/* SPDX-License-Identifier: Apache-2.0
 *
 * The names that an archive has had so far: what is new, what is there already, what differs from another in
 * case only, which folders are missing. It remembers 20 bytes a name (a hash with a secret key, and what is
 * below), so that names of any length cost the same, and looking up takes the same time whatever names a
 * stranger chooses. */
#ifndef SERVER_MODULE_ARCHIVES_TREE_H
#define SERVER_MODULE_ARCHIVES_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/own.h"

struct tree_entry {
	bool is_folder;
	bool is_implied; /* a folder that only its files speak of */
	bool is_sparse;  /* a file */
	int64_t size_bytes;
	uint32_t mark; /* what a file's content is told by */
};

struct tree;

struct tree *tree_create(void);
void tree_destroy(struct tree *tree);
AUTO_CLEANER(own_tree, struct tree *, tree_destroy)
#define AUTO_TREE AUTO(own_tree)

/* Whether there is an entry with this path. */
bool tree_find(const struct tree *tree, const char *path, struct tree_entry *out);

/* Whether there is an entry whose path is the same but for case, or the same. */
bool tree_has_folded(const struct tree *tree, const char *path);

/* Sets what is known of a path in normal form: of a new one, or anew. */
void tree_put(struct tree *tree, const char *path, const struct tree_entry *entry);

/* Implies the folders above a path that have no entry, and gives the length of that part of it which is the
 * nearest of them; 0 where none is missing. */
size_t tree_imply(struct tree *tree, const char *path);

/* How many folders were ever implied, and how many names of one spelling there are at most but for case. */
size_t tree_implied(const struct tree *tree);
size_t tree_alike(const struct tree *tree);

#endif
