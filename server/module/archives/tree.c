/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/tree.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/siphash.h"
#include "server/module/archives/folding.h"

enum { SPELLING_BITS = 18, SIZE_HIGH_BITS = 12, SLOTS_FIRST = 64 };
#define SIZE_MAX_BYTES ((INT64_C(1) << (32 + SIZE_HIGH_BITS)) - 1)

/* Words of 32 bits, so that nothing lies idle between a hundred thousand of them. Names that are alike but
 * for case have one hash, and lie behind each other. */
struct slot {
	uint32_t name[2]; /* the hash of the path with case folded; 0: free */
	uint32_t mark;
	uint32_t size_low;
	uint32_t size_high : SIZE_HIGH_BITS;
	uint32_t spelling : SPELLING_BITS; /* of the path's own hash */
	uint32_t is_folder : 1;
	uint32_t is_odd : 1; /* a folder that is implied, or a file that is sparse */
};

struct tree {
	struct siphash_key key;
	struct slot *slots;
	size_t slot_count; /* a power of two */
	size_t used;
	size_t implied;
	size_t alike;
};

struct tree *tree_create(void)
{
	struct tree *tree = mem_zero(1, sizeof *tree);

	tree->key = siphash_key_create();
	tree->slot_count = SLOTS_FIRST;
	tree->slots = mem_zero(tree->slot_count, sizeof *tree->slots);
	return tree;
}

void tree_destroy(struct tree *tree)
{
	if (!tree)
		return;
	free(tree->slots);
	free(tree);
}

static bool is_free(const struct slot *slot)
{
	return slot->name[0] == 0 && slot->name[1] == 0;
}

static bool has_name(const struct slot *slot, const struct slot *wanted)
{
	return slot->name[0] == wanted->name[0] && slot->name[1] == wanted->name[1];
}

/* What a path is found by, as the slot that it would have. */
static struct slot identify(const struct tree *tree, const char *path, size_t length)
{
	AUTO_FREE char *folded = mem_zero(1, folding_room(length));
	struct slot slot = {.spelling = (uint32_t)siphash(&tree->key, path, length) >> (32 - SPELLING_BITS)};
	uint64_t name;

	(void)folding_fold(path, length, folded);
	name = siphash(&tree->key, folded, strlen(folded));
	slot.name[0] = (uint32_t)name;
	slot.name[1] = (uint32_t)(name >> 32) + (name == 0);
	return slot;
}

/* The slot of this name and spelling, or else the free one where it belongs. *alike counts those on the way
 * that have the name, but another spelling. */
static struct slot *slot_of(struct slot *slots, size_t slot_count, const struct slot *wanted, size_t *alike)
{
	size_t at = wanted->name[0] & (slot_count - 1);

	*alike = 0;
	for (; !is_free(&slots[at]); at = (at + 1) & (slot_count - 1)) {
		if (!has_name(&slots[at], wanted))
			continue;
		if (slots[at].spelling == wanted->spelling)
			break;
		++*alike;
	}
	return &slots[at];
}

static void grow(struct tree *tree)
{
	size_t count = 2 * tree->slot_count;
	struct slot *slots = mem_zero(count, sizeof *slots);
	size_t alike;

	for (size_t i = 0; i < tree->slot_count; i++) {
		if (!is_free(&tree->slots[i]))
			*slot_of(slots, count, &tree->slots[i], &alike) = tree->slots[i];
	}
	free(tree->slots);
	tree->slots = slots;
	tree->slot_count = count;
}

/* Whether it was new. */
static bool put(struct tree *tree, const struct slot *new)
{
	size_t alike;
	struct slot *slot = slot_of(tree->slots, tree->slot_count, new, &alike);
	bool is_new = is_free(slot);

	*slot = *new;
	if (!is_new)
		return false;
	tree->alike = alike + 1 > tree->alike ? alike + 1 : tree->alike;
	if (++tree->used > tree->slot_count / 8 * 7)
		grow(tree);
	return true;
}

bool tree_find(const struct tree *tree, const char *path, struct tree_entry *out)
{
	struct slot wanted = identify(tree, path, strlen(path));
	size_t alike;
	const struct slot *slot = slot_of(tree->slots, tree->slot_count, &wanted, &alike);

	if (is_free(slot))
		return false;
	*out = (struct tree_entry){.is_folder = slot->is_folder,
		.is_implied = slot->is_folder && slot->is_odd,
		.is_sparse = !slot->is_folder && slot->is_odd,
		.size_bytes = (int64_t)slot->size_high << 32 | slot->size_low,
		.mark = slot->mark};
	return true;
}

bool tree_has_folded(const struct tree *tree, const char *path)
{
	struct slot wanted = identify(tree, path, strlen(path));
	size_t alike;

	return !is_free(slot_of(tree->slots, tree->slot_count, &wanted, &alike)) || alike > 0;
}

void tree_put(struct tree *tree, const char *path, const struct tree_entry *entry)
{
	struct slot slot = identify(tree, path, strlen(path));
	int64_t size = entry->size_bytes < SIZE_MAX_BYTES ? entry->size_bytes : SIZE_MAX_BYTES;

	slot.size_low = (uint32_t)size;
	slot.size_high = (uint32_t)(size >> 32);
	slot.mark = entry->mark;
	slot.is_folder = entry->is_folder;
	slot.is_odd = entry->is_folder ? entry->is_implied : entry->is_sparse;
	(void)put(tree, &slot);
}

static bool imply_folder(struct tree *tree, const char *path, size_t length)
{
	struct slot folder = identify(tree, path, length);
	size_t alike;

	folder.is_folder = folder.is_odd = 1;
	if (!is_free(slot_of(tree->slots, tree->slot_count, &folder, &alike)))
		return false;
	(void)put(tree, &folder);
	tree->implied++;
	return true;
}

size_t tree_imply(struct tree *tree, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t missing = 0;

	/* From the deepest upwards, to the first that is known: those above it are known as well. */
	while (slash && imply_folder(tree, path, (size_t)(slash - path))) {
		missing = missing > 0 ? missing : (size_t)(slash - path);
		slash = memrchr(path, '/', (size_t)(slash - path));
	}
	return missing;
}

size_t tree_implied(const struct tree *tree)
{
	return tree->implied;
}

size_t tree_alike(const struct tree *tree)
{
	return tree->alike;
}
