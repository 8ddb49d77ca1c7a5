/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/filesums.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

enum { BYTES_MAX = 1 << 20 };

void filesums_finish(struct filesums *sums)
{
	for (size_t i = 0; i < sums->count; i++)
		free(sums->items[i].path);
	free(sums->items);
	*sums = (struct filesums){0};
}

static int by_path(const void *left, const void *right)
{
	return strcmp(((const struct filesum *)left)->path, ((const struct filesum *)right)->path);
}

static int by_path_and_order(const void *left, const void *right)
{
	const struct filesum *a = left, *b = right;
	int paths = by_path(a, b);

	return paths ? paths : (a->order > b->order) - (a->order < b->order);
}

void filesums_sort(struct filesums *sums)
{
	size_t kept = 0;

	if (sums->count > 0)
		qsort(sums->items, sums->count, sizeof *sums->items, by_path_and_order);
	for (size_t i = 0; i < sums->count; i++) {
		if (i + 1 < sums->count && by_path(&sums->items[i], &sums->items[i + 1]) == 0)
			free(sums->items[i].path);
		else
			sums->items[kept++] = sums->items[i];
	}
	sums->count = kept;
}

const struct filesum *filesums_find(const struct filesums *sums, const char *path)
{
	const struct filesum key = {.path = (char *)path};

	return sums->count > 0 ? bsearch(&key, sums->items, sums->count, sizeof *sums->items, by_path) : NULL;
}

/* It does not fit any more. */
static void pass_over(struct filesums *sums, const char *path)
{
	if (!sums->full)
		filesums_sort(sums);
	if (filesums_find(sums, path))
		filesums_finish(sums);
	sums->full = true;
}

void filesums_add(struct filesums *sums, const char *path, const uint8_t sha256[32])
{
	size_t bytes = sizeof *sums->items + strlen(path) + 1;
	struct filesum *sum;

	if (sums->full || bytes > BYTES_MAX - sums->bytes)
		return pass_over(sums, path);
	sums->bytes += bytes;
	MEM_GROW(sums->items, sums->count, sums->capacity);
	sum = &sums->items[sums->count];
	sum->path = mem_dup(path);
	sum->order = sums->count++;
	memcpy(sum->sha256, sha256, sizeof sum->sha256);
}
