/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/unpacked/folders.h"

#include <stdlib.h>
#include <string.h>

#include "common/invariant.h"
#include "common/mem.h"

enum { CAPACITY_MIN = 16 };

void folders_finish(struct folders *folders)
{
	free(folders->rows);
	*folders = (struct folders){0};
}

/* Where the digest is, or is to be. */
static size_t position_of(const struct folders *folders, const struct digest *digest)
{
	size_t low = 0;
	size_t high = folders->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct digest *at = &folders->rows[middle].digest;

		if (memcmp(at->bytes, digest->bytes, sizeof at->bytes) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct folders *folders, size_t position, const struct digest *digest)
{
	return position < folders->count && digest_equal(&folders->rows[position].digest, digest);
}

static void insert(struct folders *folders, size_t position)
{
	if (folders->count == folders->capacity) {
		folders->capacity = folders->capacity ? folders->capacity * 2 : CAPACITY_MIN;
		folders->rows = mem_resize(folders->rows, folders->capacity, sizeof *folders->rows);
	}
	memmove(&folders->rows[position + 1], &folders->rows[position],
		(folders->count - position) * sizeof *folders->rows);
	folders->rows[position] = (struct folder){0};
	folders->count++;
}

void folders_put(struct folders *folders, const struct digest *digest, int64_t bytes, int64_t used)
{
	size_t position = position_of(folders, digest);

	if (!is_at(folders, position, digest))
		insert(folders, position);
	folders->bytes += bytes - folders->rows[position].bytes;
	folders->rows[position] = (struct folder){.digest = *digest, .bytes = bytes, .used = used};
	if (used > folders->now)
		folders->now = used;
}

void folders_touch(struct folders *folders, const struct digest *digest)
{
	size_t position = position_of(folders, digest);

	if (is_at(folders, position, digest))
		folders->rows[position].used = ++folders->now;
}

void folders_note_whole(struct folders *folders, const struct digest *digest, int64_t changed_at)
{
	size_t position = position_of(folders, digest);

	if (is_at(folders, position, digest))
		folders->rows[position].whole_at = changed_at;
}

bool folders_are_whole(const struct folders *folders, const struct digest *digest, int64_t changed_at)
{
	size_t position = position_of(folders, digest);

	return changed_at != 0 && is_at(folders, position, digest) &&
	       folders->rows[position].whole_at == changed_at;
}

bool folders_drop(struct folders *folders, const struct digest *digest)
{
	size_t position = position_of(folders, digest);

	if (!is_at(folders, position, digest))
		return false;
	folders->bytes -= folders->rows[position].bytes;
	folders->count--;
	memmove(&folders->rows[position], &folders->rows[position + 1],
		(folders->count - position) * sizeof *folders->rows);
	INVARIANT(folders->count > 0 || folders->bytes == 0);
	return true;
}

const struct folder *folders_find_oldest(const struct folders *folders,
	bool (*may_go)(void *context, const struct digest *digest), void *context)
{
	const struct folder *oldest = NULL;

	for (size_t i = 0; i < folders->count; i++) {
		const struct folder *folder = &folders->rows[i];

		if ((!oldest || folder->used < oldest->used) && may_go(context, &folder->digest))
			oldest = folder;
	}
	return oldest;
}
