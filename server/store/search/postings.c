/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/search/postings.h"

#include "common/mem.h"

void postings_finish(struct postings *postings)
{
	for (size_t i = 0; i < postings->count; i++) {
		free(postings->items[i]->text);
		sequence_finish(&postings->items[i]->slots);
		free(postings->items[i]);
	}
	free(postings->items);
	*postings = (struct postings){0};
}

struct posting *postings_append(struct postings *postings, const char *text)
{
	struct posting *posting = mem_zero(1, sizeof *posting);

	posting->text = mem_dup(text);
	MEM_GROW(postings->items, postings->count, postings->capacity);
	postings->items[postings->count++] = posting;
	return posting;
}

static bool is_smaller(const void *context, uint32_t slot)
{
	return slot < *(const uint32_t *)context;
}

/* Where a slot is in a posting, or would be; *there tells which. */
static struct sequence_place position(const struct posting *posting, uint32_t slot, bool *there)
{
	struct sequence_place place = sequence_find(&posting->slots, is_smaller, &slot);
	uint32_t found;

	*there = sequence_read(&posting->slots, &place, &found) && found == slot;
	return place;
}

bool posting_add(struct posting *posting, uint32_t slot)
{
	struct sequence_place place;
	bool there;

	/* All are read in the order of slots. */
	if (posting->slots.count == 0 || sequence_last(&posting->slots) < slot) {
		sequence_append(&posting->slots, slot);
		return true;
	}
	place = position(posting, slot, &there);
	if (!there)
		sequence_insert(&posting->slots, place, slot);
	return !there;
}

void posting_remove(struct posting *posting, uint32_t slot)
{
	bool there;
	struct sequence_place place = position(posting, slot, &there);

	if (there)
		sequence_remove(&posting->slots, place);
}

void posting_unite(const struct posting *posting, struct slots *out)
{
	const struct sequence *slots = &posting->slots;

	for (size_t i = 0; i < slots->block_count; i++) {
		for (size_t at = 0; at < slots->blocks[i].count; at++)
			slots_add(out, slots->blocks[i].slots[at]);
	}
}

int64_t posting_count(const struct posting *posting, const struct slots *set)
{
	const struct sequence *slots = &posting->slots;
	int64_t count = 0;

	for (size_t i = 0; i < slots->block_count; i++) {
		for (size_t at = 0; at < slots->blocks[i].count; at++)
			count += slots_have(set, slots->blocks[i].slots[at]);
	}
	return count;
}
