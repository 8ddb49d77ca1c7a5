/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/pieces.h"

#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"

enum { BLOCK_BYTES = 256 << 10 };

struct piece *pieces_add(struct pieces *pieces, const char *path, int64_t offset)
{
	struct piece *piece;

	MEM_GROW(pieces->items, pieces->count, pieces->capacity);
	piece = &pieces->items[pieces->count++];
	*piece = (struct piece){mem_dup(path), offset, 0, -1};
	return piece;
}

const struct piece *pieces_find(const struct pieces *pieces, const char *path)
{
	for (size_t i = 0; i < pieces->count; i++) {
		if (strcmp(pieces->items[i].path, path) == 0)
			return &pieces->items[i];
	}
	return NULL;
}

void pieces_finish(struct pieces *pieces)
{
	for (size_t i = 0; i < pieces->count; i++)
		free(pieces->items[i].path);
	free(pieces->items);
	*pieces = (struct pieces){0};
}

static bool copy(const struct piece *piece, int fd, struct tarball *tarball, struct err *err)
{
	AUTO_FREE char *block = mem_zero(1, BLOCK_BYTES);

	for (int64_t at = 0; at < piece->size_bytes;) {
		int64_t left = piece->size_bytes - at;
		size_t wanted = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
		size_t got;

		if (!file_read_at(fd, block, wanted, piece->offset + at, &got, err))
			return false;
		if (got < wanted)
			return err_set(err, ERR_INTERNAL, "a draft has become shorter");
		if (!tarball_write(tarball, block, got, err))
			return false;
		at += (int64_t)got;
	}
	return true;
}

static int compare_pieces(const void *left, const void *right)
{
	return strcmp(((const struct piece *)left)->path, ((const struct piece *)right)->path);
}

/* Sorted, the files of a folder follow each other: those that the one before stands in are there. */
static bool add_folders(struct tarball *tarball, const char *before, const char *path, struct err *err)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t length = (size_t)(slash - path);
		AUTO_FREE char *folder = mem_dup_n(path, length);

		if (strncmp(before, path, length + 1) != 0 && !tarball_add_folder(tarball, folder, err))
			return false;
	}
	return true;
}

bool pieces_write(struct pieces *pieces, int fd, const struct tarball_sink *sink, struct err *err)
{
	AUTO_TARBALL struct tarball *tarball = tarball_create(sink);

	if (pieces->count > 0)
		qsort(pieces->items, pieces->count, sizeof *pieces->items, compare_pieces);
	for (size_t i = 0; i < pieces->count; i++) {
		const struct piece *piece = &pieces->items[i];

		if (!add_folders(tarball, i > 0 ? piece[-1].path : "", piece->path, err) ||
			!tarball_add_file(tarball, piece->path, piece->size_bytes, err) ||
			!copy(piece, piece->fd >= 0 ? piece->fd : fd, tarball, err))
			return false;
	}
	return tarball_finish(tarball, err);
}
