/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/search/sequence.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

/* What is appended in bulk leaves room for what comes later. */
enum { APPENDED_MAX = SEQUENCE_BLOCK_MAX * 3 / 4, CAPACITY_MIN = 4 };

void sequence_finish(struct sequence *sequence)
{
	for (size_t i = 0; i < sequence->block_count; i++)
		free(sequence->blocks[i].slots);
	free(sequence->blocks);
	*sequence = (struct sequence){0};
}

/* Makes room for an empty block at this place. */
static struct sequence_block *add_block(struct sequence *sequence, size_t at)
{
	struct sequence_block *block;

	MEM_GROW(sequence->blocks, sequence->block_count, sequence->block_capacity);
	block = &sequence->blocks[at];
	memmove(block + 1, block, (sequence->block_count - at) * sizeof *block);
	*block = (struct sequence_block){0};
	sequence->block_count++;
	return block;
}

static void drop_block(struct sequence *sequence, size_t at)
{
	struct sequence_block *block = &sequence->blocks[at];

	free(block->slots);
	sequence->block_count--;
	memmove(block, block + 1, (sequence->block_count - at) * sizeof *block);
}

static void put(struct sequence_block *block, size_t at, uint32_t slot)
{
	if (block->count == block->capacity) {
		block->capacity = block->capacity ? block->capacity * 2 : CAPACITY_MIN;
		block->slots = mem_resize(block->slots, block->capacity, sizeof *block->slots);
	}
	memmove(block->slots + at + 1, block->slots + at, (block->count - at) * sizeof *block->slots);
	block->slots[at] = slot;
	block->count++;
}

void sequence_append(struct sequence *sequence, uint32_t slot)
{
	size_t last = sequence->block_count - 1;

	if (sequence->block_count == 0 || sequence->blocks[last].count >= APPENDED_MAX) {
		last = sequence->block_count;
		(void)add_block(sequence, last);
	}
	put(&sequence->blocks[last], sequence->blocks[last].count, slot);
	sequence->count++;
}

/* The last block whose first slot is before what is looked for; the first one where there is none. */
static size_t find_block(const struct sequence *sequence,
	bool (*is_before)(const void *context, uint32_t slot), const void *context)
{
	size_t low = 0, high = sequence->block_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (is_before(context, sequence->blocks[middle].slots[0]))
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? low - 1 : 0;
}

struct sequence_place sequence_find(const struct sequence *sequence,
	bool (*is_before)(const void *context, uint32_t slot), const void *context)
{
	struct sequence_place place = {find_block(sequence, is_before, context), 0};
	const struct sequence_block *block;
	size_t high;

	if (sequence->block_count == 0)
		return place;
	block = &sequence->blocks[place.block];
	for (high = block->count; place.at < high;) {
		size_t middle = place.at + (high - place.at) / 2;

		if (is_before(context, block->slots[middle]))
			place.at = middle + 1;
		else
			high = middle;
	}
	return place.at < block->count ? place : (struct sequence_place){place.block + 1, 0};
}

/* Its second half becomes a block of its own. */
static void split(struct sequence *sequence, size_t at)
{
	struct sequence_block *second = add_block(sequence, at + 1);
	struct sequence_block *first = &sequence->blocks[at];
	uint32_t half = first->count / 2;

	second->count = first->count - half;
	second->capacity = first->capacity;
	second->slots = mem_zero(second->capacity, sizeof *second->slots);
	memcpy(second->slots, first->slots + half, second->count * sizeof *second->slots);
	first->count = half;
}

void sequence_insert(struct sequence *sequence, struct sequence_place place, uint32_t slot)
{
	/* What comes before a block belongs to the end of the one before it. */
	if (place.at == 0 && place.block > 0)
		place = (struct sequence_place){place.block - 1, sequence->blocks[place.block - 1].count};
	if (sequence->block_count == 0)
		(void)add_block(sequence, 0);
	if (sequence->blocks[place.block].count == SEQUENCE_BLOCK_MAX) {
		split(sequence, place.block);
		if (place.at > sequence->blocks[place.block].count) {
			place.at -= sequence->blocks[place.block].count;
			place.block++;
		}
	}
	put(&sequence->blocks[place.block], place.at, slot);
	sequence->count++;
}

void sequence_remove(struct sequence *sequence, struct sequence_place place)
{
	struct sequence_block *block = &sequence->blocks[place.block];

	assert(place.block < sequence->block_count && place.at < block->count);
	block->count--;
	memmove(block->slots + place.at, block->slots + place.at + 1,
		(block->count - place.at) * sizeof *block->slots);
	sequence->count--;
	if (block->count == 0)
		drop_block(sequence, place.block);
}
