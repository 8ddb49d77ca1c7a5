/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/digest_set.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

enum { FIRST_CAPACITY = 1024 };

void digest_set_finish(struct digest_set *set)
{
	free(set->slots);
	*set = (struct digest_set){0};
}

static uint64_t key_of(const struct digest *digest)
{
	uint64_t key;

	memcpy(&key, digest->bytes, sizeof key);
	return key ? key : 1;
}

/* The slot that has the key, or the free one that would. */
static uint64_t *find(const struct digest_set *set, uint64_t key)
{
	size_t at = key & (set->capacity - 1);

	while (set->slots[at] && set->slots[at] != key)
		at = (at + 1) & (set->capacity - 1);
	return &set->slots[at];
}

static void grow(struct digest_set *set)
{
	struct digest_set larger = {
		.count = set->count, .capacity = set->capacity ? 2 * set->capacity : FIRST_CAPACITY};

	larger.slots = mem_zero(larger.capacity, sizeof *larger.slots);
	for (size_t i = 0; i < set->capacity; i++) {
		if (set->slots[i])
			*find(&larger, set->slots[i]) = set->slots[i];
	}
	free(set->slots);
	*set = larger;
}

bool digest_set_add(struct digest_set *set, const struct digest *digest)
{
	uint64_t key = key_of(digest);
	uint64_t *slot;

	if (4 * (set->count + 1) > 3 * set->capacity)
		grow(set);
	slot = find(set, key);
	if (*slot)
		return false;
	*slot = key;
	set->count++;
	return true;
}

bool digest_set_has(const struct digest_set *set, const struct digest *digest)
{
	return set->count > 0 && *find(set, key_of(digest)) != 0;
}
