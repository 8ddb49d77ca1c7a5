/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/blob_places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/mem.h"
#include "common/siphash.h"
#include "server/bundle/scratch.h"

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
	struct siphash_key key; /* whoever made the bundle chose the digests */
	struct table table;
	size_t count;
};

static void unmap(struct table *table)
{
	if (table->slots)
		(void)munmap(table->slots, table->capacity * sizeof *table->slots);
	*table = (struct table){0};
}

/* All its bytes are claimed now: a full disk is to be an error, and no signal. */
static bool map(const char *folder, size_t capacity, struct table *out, struct err *err)
{
	AUTO_FD int fd = -1;
	size_t bytes = capacity * sizeof *out->slots;
	void *slots;
	int fault;

	if (!scratch_open(folder, &fd, err))
		return false;
	fault = posix_fallocate(fd, 0, (off_t)bytes);
	if (fault != 0)
		return err_errno(err, fault, "write a list of the bundle's blobs in %.200s", folder);
	slots = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (slots == MAP_FAILED)
		return err_errno(err, errno, "map a file in %.200s", folder);
	*out = (struct table){slots, capacity};
	return true;
}

bool blob_places_open(const char *folder, struct blob_places **out, struct err *err)
{
	struct blob_places *places = mem_zero(1, sizeof *places);

	places->folder = mem_dup(folder);
	places->key = siphash_key_create();
	if (!map(folder, SLOTS_FIRST, &places->table, err)) {
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
	size_t place = siphash(&places->key, digest, 32) & (table->capacity - 1);

	while (table->slots[place].offset != 0 && memcmp(table->slots[place].digest, digest, 32) != 0)
		place = (place + 1) & (table->capacity - 1);
	return &table->slots[place];
}

static bool grow(struct blob_places *places, struct err *err)
{
	struct table larger;

	if (!map(places->folder, 2 * places->table.capacity, &larger, err))
		return false;
	for (size_t i = 0; i < places->table.capacity; i++) {
		const struct slot *slot = &places->table.slots[i];

		if (slot->offset != 0)
			*find_slot(places, &larger, slot->digest) = *slot;
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
