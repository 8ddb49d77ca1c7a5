/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/digest_set.h"

#include <stdlib.h>

#include "common/mem.h"

enum { FIRST_CAPACITY = 1024 };

void digest_set_finish(struct digest_set *set)
{
	free(set->slots);
	*set = (struct digest_set){0};
}

/* Of all bytes: whoever publishes can make two artifacts whose digests begin alike. */
static uint64_t key_of(const struct digest_set *set, const struct digest *digest)
{
	uint64_t key = siphash(&set->secret, digest->bytes, sizeof digest->bytes);

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
	bool is_new = set->capacity == 0;
	struct digest_set larger = {.secret = is_new ? siphash_key_create() : set->secret,
		.count = set->count,
		.capacity = is_new ? FIRST_CAPACITY : 2 * set->capacity};

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
	uint64_t key;
	uint64_t *slot;

	if (4 * (set->count + 1) > 3 * set->capacity)
		grow(set);
	key = key_of(set, digest);
	slot = find(set, key);
	if (*slot)
		return false;
	*slot = key;
	set->count++;
	return true;
}

bool digest_set_has(const struct digest_set *set, const struct digest *digest)
{
	return set->count > 0 && *find(set, key_of(set, digest)) != 0;
}
