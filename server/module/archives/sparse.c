/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/sparse.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

void sparse_map_finish(struct sparse_map *map)
{
	free(map->pieces);
	*map = (struct sparse_map){0};
}

const char *sparse_map_add(struct sparse_map *map, int64_t offset, int64_t bytes)
{
	if (map->count == SPARSE_PIECES_MAX)
		return "its sparse map has more than 65536 pieces";
	/* Python's tarfile reads pieces that overlap as it likes. Empty ones it leaves out here and there,
	 * which changes nothing: bsdtar writes two for a file that is one hole. */
	if (offset < map->end || offset > TAR_SIZE_MAX || bytes > TAR_SIZE_MAX)
		return "its sparse map does not ascend";
	MEM_GROW(map->pieces, map->count, map->capacity);
	map->pieces[map->count++] = (struct sparse_piece){offset, bytes};
	map->stored_bytes += bytes;
	map->end = offset + bytes;
	return map->end > TAR_SIZE_MAX ? "its sparse map is absurd" : NULL;
}

bool sparse_read_decimal(const char *text, size_t length, int64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*out = *out * 10 + (text[i] - '0');
		if (*out > TAR_SIZE_MAX)
			return false;
	}
	return length > 0;
}

/* Takes one number off the list. */
static bool take_number(const char **text, size_t *length, int64_t *out)
{
	const char *comma = memchr(*text, ',', *length);
	size_t digits = comma ? (size_t)(comma - *text) : *length;
	size_t taken = comma ? digits + 1 : digits;

	if (!sparse_read_decimal(*text, digits, out))
		return false;
	*text += taken;
	*length -= taken;
	return true;
}

const char *sparse_map_add_list(struct sparse_map *map, const char *text, size_t length)
{
	const char *fault = NULL;
	int64_t offset;
	int64_t bytes;

	if (length == 0 || text[length - 1] == ',')
		return "its sparse map is malformed";
	while (length > 0 && !fault) {
		if (!take_number(&text, &length, &offset) || !take_number(&text, &length, &bytes))
			return "its sparse map is malformed";
		fault = sparse_map_add(map, offset, bytes);
	}
	return fault;
}

const char *sparse_map_close(struct sparse_map *map, int64_t real_bytes, int64_t stored_bytes)
{
	if (map->end > real_bytes)
		return "its sparse map leads out of the file";
	if (map->stored_bytes != stored_bytes)
		return "its sparse map is not of what is stored";
	map->real_bytes = real_bytes;
	map->next = 0;
	map->at = 0;
	return NULL;
}

int64_t sparse_map_next(struct sparse_map *map, bool *is_hole)
{
	const struct sparse_piece *piece;

	while (map->next < map->count &&
		map->at >= map->pieces[map->next].offset + map->pieces[map->next].bytes)
		map->next++;
	if (map->next == map->count) {
		*is_hole = true;
		return map->real_bytes - map->at;
	}
	piece = &map->pieces[map->next];
	*is_hole = map->at < piece->offset;
	return *is_hole ? piece->offset - map->at : piece->offset + piece->bytes - map->at;
}

void sparse_map_advance(struct sparse_map *map, int64_t bytes)
{
	map->at += bytes;
}
