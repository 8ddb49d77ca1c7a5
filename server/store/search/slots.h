/* SPDX-License-Identifier: Apache-2.0
 *
 * A set of small numbers, one bit each: the slots that modules have in a list. All sets that meet have the
 * same count. */
#ifndef SERVER_STORE_SEARCH_SLOTS_H
#define SERVER_STORE_SEARCH_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"

struct slots {
	uint64_t *words; /* NULL: the empty set of count 0 */
	size_t count;    /* numbers from 0 to below this */
};

static inline size_t slots_words(size_t count)
{
	return (count + 63) / 64;
}

/* An empty set; slots_finish() it. */
static inline struct slots slots_init(size_t count)
{
	return (struct slots){mem_zero(slots_words(count) + 1, sizeof(uint64_t)), count};
}

static inline void slots_finish(struct slots *set)
{
	free(set->words);
	*set = (struct slots){0};
}
#define AUTO_SLOTS AUTO(slots_finish)

static inline struct slots slots_copy(const struct slots *from)
{
	struct slots copy = slots_init(from->count);

	if (from->words)
		memcpy(copy.words, from->words, slots_words(from->count) * sizeof(uint64_t));
	return copy;
}

static inline void slots_add(struct slots *set, size_t slot)
{
	set->words[slot / 64] |= UINT64_C(1) << slot % 64;
}

static inline void slots_remove(struct slots *set, size_t slot)
{
	set->words[slot / 64] &= ~(UINT64_C(1) << slot % 64);
}

static inline bool slots_have(const struct slots *set, size_t slot)
{
	return set->words[slot / 64] >> slot % 64 & 1;
}

static inline void slots_intersect(struct slots *set, const struct slots *with)
{
	for (size_t i = 0; i < slots_words(set->count); i++)
		set->words[i] &= with->words[i];
}

static inline void slots_subtract(struct slots *set, const struct slots *what)
{
	for (size_t i = 0; i < slots_words(set->count); i++)
		set->words[i] &= ~what->words[i];
}

static inline void slots_unite(struct slots *set, const struct slots *with)
{
	for (size_t i = 0; i < slots_words(set->count); i++)
		set->words[i] |= with->words[i];
}

static inline int64_t slots_total(const struct slots *set)
{
	int64_t total = 0;

	for (size_t i = 0; i < slots_words(set->count); i++)
		total += __builtin_popcountll(set->words[i]);
	return total;
}

/* Words that a set has room for which grows to so many numbers: a power of two, so that it seldom moves. */
static inline size_t slots_room(size_t count)
{
	size_t room = 64;

	while (room < slots_words(count) + 1)
		room *= 2;
	return room;
}

/* Makes it hold more numbers; the new ones are not in it. Only for sets that began empty, of count 0. */
static inline void slots_grow(struct slots *set, size_t count)
{
	size_t before = set->words ? slots_room(set->count) : 0, after = slots_room(count);

	if (before < after) {
		set->words = mem_resize(set->words, after, sizeof(uint64_t));
		memset(set->words + before, 0, (after - before) * sizeof(uint64_t));
	}
	set->count = count;
}

#endif
