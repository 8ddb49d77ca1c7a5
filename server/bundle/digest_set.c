/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/digest_set.h"

#include <stdlib.h>

#include "common/mem.h"

enum { FIRST_CAPACITY = 1024 };

void digest_set_init(struct digest_set *set, const struct scratch_place *scratch)
{
	*set = (struct digest_set){.scratch = scratch, .secret = siphash_key_create()};
}

/* ---- the table ---- */

static size_t bytes_of(const struct digest_set *set)
{
	return set->capacity * sizeof *set->slots;
}

static bool is_mapped(const struct digest_set *set)
{
	return bytes_of(set) > DIGEST_SET_HELD_BYTES;
}

static bool make_table(struct digest_set *set, struct err *err)
{
	void *slots;

	if (!is_mapped(set)) {
		set->slots = mem_zero(set->capacity, sizeof *set->slots);
		return true;
	}
	if (!scratch_map(set->scratch, bytes_of(set), "which of the bundle's blobs were seen", &slots, err))
		return false;
	set->slots = slots;
	return true;
}

static void drop_table(struct digest_set *set)
{
	if (is_mapped(set))
		scratch_unmap(set->slots, bytes_of(set));
	else
		free(set->slots);
}

void digest_set_finish(struct digest_set *set)
{
	drop_table(set);
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

	if (is_mapped(set))
		scratch_looked(set->slots, bytes_of(set), key);
	while (set->slots[at] && set->slots[at] != key)
		at = (at + 1) & (set->capacity - 1);
	return &set->slots[at];
}

static bool grow(struct digest_set *set, struct err *err)
{
	struct digest_set larger = *set;

	larger.capacity = set->capacity ? 2 * set->capacity : FIRST_CAPACITY;
	if (!make_table(&larger, err))
		return false;
	for (size_t i = 0; i < set->capacity; i++) {
		uint64_t key = set->slots[i];

		if (key)
			*find(&larger, key) = key;
		if (key && is_mapped(set))
			scratch_looked(set->slots, bytes_of(set), key);
	}
	drop_table(set);
	*set = larger;
	return true;
}

/* ---- what is in it ---- */

bool digest_set_add(struct digest_set *set, const struct digest *digest, bool *is_new, struct err *err)
{
	uint64_t key = key_of(set, digest);
	uint64_t *slot;

	if (4 * (set->count + 1) > 3 * set->capacity && !grow(set, err))
		return false;
	slot = find(set, key);
	*is_new = *slot == 0;
	if (!*is_new)
		return true;
	*slot = key;
	set->count++;
	return true;
}

bool digest_set_has(const struct digest_set *set, const struct digest *digest)
{
	return set->count > 0 && *find(set, key_of(set, digest)) != 0;
}
