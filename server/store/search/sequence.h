/* SPDX-License-Identifier: Apache-2.0
 *
 * Slots in an order that its owner knows, in blocks: whatever enters or leaves moves no more than one block,
 * however many there are. */
#ifndef SERVER_STORE_SEARCH_SEQUENCE_H
#define SERVER_STORE_SEARCH_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEQUENCE_BLOCK_MAX = 512 };

struct sequence_block {
	uint32_t *slots;
	uint32_t count; /* never 0 */
	uint32_t capacity;
};

/* Zeroed, it is empty. */
struct sequence {
	struct sequence_block *blocks;
	size_t block_count;
	size_t block_capacity;
	size_t count; /* of slots, in all */
};

/* A place in it: of a slot, or the end, where block == block_count. Any change makes it worthless. */
struct sequence_place {
	size_t block;
	size_t at;
};

void sequence_finish(struct sequence *sequence);

/* Puts a slot behind all others. */
void sequence_append(struct sequence *sequence, uint32_t slot);

/* The first slot that is not before what is looked for: is_before() is true for a beginning of the sequence.
 */
struct sequence_place sequence_find(const struct sequence *sequence,
	bool (*is_before)(const void *context, uint32_t slot), const void *context);

/* Puts a slot where another is, or at the end. */
void sequence_insert(struct sequence *sequence, struct sequence_place place, uint32_t slot);
void sequence_remove(struct sequence *sequence, struct sequence_place place);

/* Of one that is not empty. */
static inline uint32_t sequence_last(const struct sequence *sequence)
{
	const struct sequence_block *last = &sequence->blocks[sequence->block_count - 1];

	return last->slots[last->count - 1];
}

/* False at the end. */
static inline bool sequence_read(
	const struct sequence *sequence, const struct sequence_place *place, uint32_t *out)
{
	if (place->block == sequence->block_count)
		return false;
	*out = sequence->blocks[place->block].slots[place->at];
	return true;
}

static inline void sequence_step(const struct sequence *sequence, struct sequence_place *place)
{
	if (++place->at == sequence->blocks[place->block].count)
		*place = (struct sequence_place){place->block + 1, 0};
}

#endif
