/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/tree.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/module/folding.h"

struct tree {
	void *root; /* of tsearch(), which balances: names made to collide cost no more than others */
	int64_t bytes;
};

/* What differs in case only lies side by side. A key without a path is equal to any of them. */
static int compare(const void *a, const void *b)
{
	const struct tree_entry *left = a;
	const struct tree_entry *right = b;
	int order = strcmp(left->folded, right->folded);

	return order != 0 || !left->path || !right->path ? order : strcmp(left->path, right->path);
}

static struct tree_entry *create_key(const char *path, size_t length)
{
	struct tree_entry *key = mem_zero(1, sizeof *key + folding_room(length));

	(void)folding_fold(path, length, key->folded);
	return key;
}

static struct tree_entry *create_entry(const char *path, size_t length)
{
	struct tree_entry *entry = create_key(path, length);

	entry->path = mem_dup_n(path, length);
	return entry;
}

static void destroy_entry(void *memory)
{
	struct tree_entry *entry = memory;

	if (!entry)
		return;
	free(entry->path);
	free(entry);
}

AUTO_CLEANER(own_entry, struct tree_entry *, destroy_entry)
#define AUTO_ENTRY AUTO(own_entry)

struct tree *tree_create(void)
{
	return mem_zero(1, sizeof(struct tree));
}

void tree_destroy(struct tree *tree)
{
	if (!tree)
		return;
	tdestroy(tree->root, destroy_entry);
	free(tree);
}

static struct tree_entry *find(const struct tree *tree, struct tree_entry *key)
{
	struct tree_entry *const *node = tfind(key, &tree->root, compare);

	return node ? *node : NULL;
}

static struct tree_entry *find_exactly(const struct tree *tree, const char *path, size_t length)
{
	AUTO_ENTRY struct tree_entry *key = create_entry(path, length);

	return find(tree, key);
}

struct tree_entry *tree_find(const struct tree *tree, const char *path)
{
	return find_exactly(tree, path, strlen(path));
}

const struct tree_entry *tree_find_folded(const struct tree *tree, const char *path)
{
	AUTO_ENTRY struct tree_entry *key = create_key(path, strlen(path));

	return find(tree, key);
}

/* The entry that was added, which the tree owns. */
static struct tree_entry *add(struct tree *tree, const char *path, size_t length)
{
	struct tree_entry *entry = create_entry(path, length);

	if (!tsearch(entry, &tree->root, compare))
		abort();
	tree->bytes += (int64_t)(sizeof *entry + folding_room(length) + length + 1 + 8 * sizeof(void *));
	return entry;
}

/* From the deepest upwards, so that it ends at the first that is known: those above it are known as well. */
static const struct tree_entry *imply_folders(struct tree *tree, const char *path)
{
	const struct tree_entry *deepest = NULL;
	const char *slash = strrchr(path, '/');

	while (slash && !find_exactly(tree, path, (size_t)(slash - path))) {
		struct tree_entry *entry = add(tree, path, (size_t)(slash - path));

		entry->is_folder = true;
		entry->is_implied = true;
		if (!deepest)
			deepest = entry;
		slash = memrchr(path, '/', (size_t)(slash - path));
	}
	return deepest;
}

struct tree_entry *tree_add(struct tree *tree, const char *path, bool is_folder, int64_t size_bytes,
	const struct tree_entry **missing)
{
	struct tree_entry *entry = add(tree, path, strlen(path));

	entry->is_folder = is_folder;
	entry->size_bytes = size_bytes;
	*missing = imply_folders(tree, path);
	return entry;
}

int64_t tree_bytes(const struct tree *tree)
{
	return tree->bytes;
}
