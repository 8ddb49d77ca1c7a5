/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/blob_places.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/siphash.h"

enum { SLOTS_FIRST = 4096 };

struct slot {
	uint8_t digest[32];
	int64_t offset; /* 0: free; no blob begins where the tar does */
	int64_t size_bytes;
};

struct table {
	struct slot *slots; /* NULL: none */
	size_t capacity;    /* a power of two, at least twice the count */
};

struct blob_places {
	char *folder;
	int64_t keep_free_bytes;
	struct siphash_key key; /* whoever made the bundle chose the digests */
	struct table table;
	size_t count;
};

static void unmap(struct table *table)
{
	scratch_unmap(table->slots, table->capacity * sizeof *table->slots);
	*table = (struct table){0};
}

static bool map(const struct blob_places *places, size_t capacity, struct table *out, struct err *err)
{
	const struct scratch_place scratch = {places->folder, places->keep_free_bytes};
	void *slots;

	if (!scratch_map(
		    &scratch, capacity * sizeof *out->slots, "where the bundle's blobs lie", &slots, err))
		return false;
	*out = (struct table){slots, capacity};
	return true;
}

bool blob_places_open(const struct scratch_place *scratch, struct blob_places **out, struct err *err)
{
	struct blob_places *places = mem_zero(1, sizeof *places);

	places->folder = mem_dup(scratch->folder);
	places->keep_free_bytes = scratch->keep_free_bytes;
	places->key = siphash_key_create();
	if (!map(places, SLOTS_FIRST, &places->table, err)) {
		blob_places_close(places);
		return false;
	}
	*out = places;
	return true;
}

void blob_places_close(struct blob_places *places)
{
	if (!places)
		return;
	unmap(&places->table);
	free(places->folder);
	free(places);
}

/* The slot that has the digest, or the free one where it belongs. */
static struct slot *find_slot(
	const struct blob_places *places, const struct table *table, const uint8_t digest[32])
{
	uint64_t hash = siphash(&places->key, digest, 32);
	size_t place = hash & (table->capacity - 1);

	scratch_looked(table->slots, table->capacity * sizeof *table->slots, hash);
	while (table->slots[place].offset != 0 && memcmp(table->slots[place].digest, digest, 32) != 0)
		place = (place + 1) & (table->capacity - 1);
	return &table->slots[place];
}

static bool grow(struct blob_places *places, struct err *err)
{
	struct table larger;

	if (!map(places, 2 * places->table.capacity, &larger, err))
		return false;
	for (size_t i = 0; i < places->table.capacity; i++) {
		const struct slot *slot = &places->table.slots[i];

		if (slot->offset != 0)
			*find_slot(places, &larger, slot->digest) = *slot;
		/* What lies in order is given back in order. */
		scratch_looked(
			places->table.slots, places->table.capacity * sizeof *slot, i % 4096 ? ~0ULL : 0);
	}
	unmap(&places->table);
	places->table = larger;
	return true;
}

bool blob_places_add(struct blob_places *places, const struct digest *digest, int64_t offset,
	int64_t size_bytes, bool *is_new, struct err *err)
{
	struct slot *slot;

	if (2 * (places->count + 1) > places->table.capacity && !grow(places, err))
		return false;
	slot = find_slot(places, &places->table, digest->bytes);
	*is_new = slot->offset == 0;
	if (!*is_new)
		return true;
	memcpy(slot->digest, digest->bytes, sizeof slot->digest);
	slot->offset = offset;
	slot->size_bytes = size_bytes;
	places->count++;
	return true;
}

bool blob_places_find(
	const struct blob_places *places, const struct digest *digest, int64_t *offset, int64_t *size_bytes)
{
	const struct slot *slot = find_slot(places, &places->table, digest->bytes);

	if (slot->offset == 0)
		return false;
	*offset = slot->offset;
	*size_bytes = slot->size_bytes;
	return true;
}
