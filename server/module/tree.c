/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/tree.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/module/utf8.h"

struct tree {
	void *root; /* of tsearch(), which balances: names made to collide cost no more than others */
	int64_t bytes;
};

/* Capitals whose small letter has as many bytes in UTF-8; every step-th code point of a range is one. */
struct capitals {
	uint32_t first;
	uint32_t last;
	uint32_t step;
	uint32_t distance;
};

static const struct capitals capitals[] = {
	{'A', 'Z', 1, 32},
	{0xc0, 0xd6, 1, 32},
	{0xd8, 0xde, 1, 32},
	{0x100, 0x12e, 2, 1},
	{0x132, 0x136, 2, 1},
	{0x139, 0x147, 2, 1},
	{0x14a, 0x176, 2, 1},
	{0x179, 0x17d, 2, 1},
	{0x391, 0x3a1, 1, 32},
	{0x3a3, 0x3ab, 1, 32},
	{0x400, 0x40f, 1, 80},
	{0x410, 0x42f, 1, 32},
};

static uint32_t fold_code(uint32_t code)
{
	for (size_t i = 0; i < sizeof capitals / sizeof *capitals; i++) {
		const struct capitals *row = &capitals[i];

		if (code >= row->first && code <= row->last && (code - row->first) % row->step == 0)
			return code + row->distance;
	}
	return code;
}

void tree_fold(char *text)
{
	uint32_t code;
	size_t length;

	for (; *text; text += length) {
		length = utf8_decode(text, &code);
		if (length == 1) {
			text[0] = (char)fold_code(code);
		} else if (length == 2) {
			code = fold_code(code);
			text[0] = (char)(0xc0 | code >> 6);
			text[1] = (char)(0x80 | (code & 0x3f));
		} else if (length == 0) {
			length = 1;
		}
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct tree_entry *)a)->folded, ((const struct tree_entry *)b)->folded);
}

static struct tree_entry *create_entry(const char *path, size_t length)
{
	struct tree_entry *entry = mem_zero(1, sizeof *entry + length + 1);

	entry->path = mem_dup_n(path, length);
	memcpy(entry->folded, path, length);
	tree_fold(entry->folded);
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

static struct tree_entry *find(const struct tree *tree, const char *path, size_t length)
{
	AUTO_ENTRY struct tree_entry *key = create_entry(path, length);
	struct tree_entry *const *node = tfind(key, &tree->root, compare);

	return node ? *node : NULL;
}

const struct tree_entry *tree_find(const struct tree *tree, const char *path)
{
	return find(tree, path, strlen(path));
}

/* The entry that was added, which the tree owns. */
static struct tree_entry *add(struct tree *tree, const char *path, size_t length)
{
	struct tree_entry *entry = create_entry(path, length);

	if (!tsearch(entry, &tree->root, compare))
		abort();
	tree->bytes += (int64_t)(sizeof *entry + 2 * (length + 1) + 8 * sizeof(void *));
	return entry;
}

/* From the deepest upwards, so that it ends at the first that is known: those above it are known as well. */
static const struct tree_entry *imply_folders(struct tree *tree, const char *path)
{
	const struct tree_entry *deepest = NULL;
	const char *slash = strrchr(path, '/');

	while (slash && !find(tree, path, (size_t)(slash - path))) {
		struct tree_entry *entry = add(tree, path, (size_t)(slash - path));

		entry->is_folder = true;
		entry->is_implied = true;
		if (!deepest)
			deepest = entry;
		slash = memrchr(path, '/', (size_t)(slash - path));
	}
	return deepest;
}

void tree_add(struct tree *tree, const char *path, bool is_folder, int64_t size_bytes,
	const struct tree_entry **missing)
{
	struct tree_entry *entry = add(tree, path, strlen(path));

	entry->is_folder = is_folder;
	entry->size_bytes = size_bytes;
	*missing = imply_folders(tree, path);
}

void tree_confirm(struct tree *tree, const char *path)
{
	struct tree_entry *entry = find(tree, path, strlen(path));

	if (entry)
		entry->is_implied = false;
}

int64_t tree_bytes(const struct tree *tree)
{
	return tree->bytes;
}
