/* SPDX-License-Identifier: Apache-2.0
 *
 * The map of a sparse file in a tar: which pieces of it are stored, one behind the other; between them are
 * zeros. Read strictly: what readers would put together differently is refused. Faults are clauses ("its
 * sparse map …"); NULL is none. */
#ifndef SERVER_MODULE_ARCHIVES_SPARSE_H
#define SERVER_MODULE_ARCHIVES_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A map takes at most a mebibyte. */
/* Beyond any file there is, so that sums of sizes do not overflow. */
#define TAR_SIZE_MAX ((int64_t)1 << 56)

enum { SPARSE_PIECES_MAX = 65536 };

struct sparse_piece {
	int64_t offset;
	int64_t bytes;
};

/* Begins with all zeros. */
struct sparse_map {
	struct sparse_piece *pieces;
	size_t count;
	size_t capacity;
	int64_t stored_bytes; /* the sum of the pieces */
	int64_t end;          /* of the last piece */
	int64_t real_bytes;   /* of the file, once the map is closed */
	size_t next;          /* the piece that is being read */
	int64_t at;           /* how far the file was read */
};

/* Frees its pieces, and makes it empty. */
void sparse_map_finish(struct sparse_map *map);

/* Appends a piece. They ascend; any may be empty. */
const char *sparse_map_add(struct sparse_map *map, int64_t offset, int64_t bytes);

/* Appends the pieces of "OFFSET,BYTES,OFFSET,BYTES…". */
const char *sparse_map_add_list(struct sparse_map *map, const char *text, size_t length);

/* There are no more pieces: they must lie inside the file and be what is stored. */
const char *sparse_map_close(struct sparse_map *map, int64_t real_bytes, int64_t stored_bytes);

/* What comes next, of a closed map: so many zeros or so many stored bytes, 0 at the file's end. The caller
 * takes no more than that, and says how many with sparse_map_advance. */
int64_t sparse_map_next(struct sparse_map *map, bool *is_hole);
void sparse_map_advance(struct sparse_map *map, int64_t bytes);

/* Reads decimal digits, and nothing else, below TAR_SIZE_MAX. */
bool sparse_read_decimal(const char *text, size_t length, int64_t *out);

#endif
