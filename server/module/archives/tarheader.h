/* SPDX-License-Identifier: Apache-2.0
 *
 * One header block of a tar and the records of a pax header, read strictly: what tar readers would understand
 * differently is refused. It knows blocks, not the stream they come from. */
#ifndef SERVER_MODULE_ARCHIVES_TARHEADER_H
#define SERVER_MODULE_ARCHIVES_TARHEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/module/archives/sparse.h"

enum { TAR_BLOCK = 512, TAR_NAME_MAX = 256 };

struct tar_header {
	char name[TAR_NAME_MAX + 1]; /* prefix and name joined */
	char type;                   /* the type flag; '\0' in old tars */
	bool folder_by_slash; /* type '\0' and a trailing slash in the name field: a folder before POSIX */
	int64_t size_bytes;
};

/* Reads a block that is not all zeros. NULL, or what is wrong with it (a clause: "its checksum is wrong"). */
const char *tar_header_read(const uint8_t block[TAR_BLOCK], struct tar_header *out);

/* GNU's first form of sparse files, type S. The map begins in the header and goes on in blocks of its own
 * while *continues. NULL, or what is wrong. */
const char *tar_header_read_sparse(
	const uint8_t block[TAR_BLOCK], struct sparse_map *map, int64_t *real_bytes, bool *continues);
const char *tar_sparse_block_read(const uint8_t block[TAR_BLOCK], struct sparse_map *map, bool *continues);

/* Where the map of a sparse file is that pax records speak of. */
enum sparse_form {
	SPARSE_NONE,
	SPARSE_IN_RECORDS, /* GNU's forms 0.0 and 0.1 */
	SPARSE_IN_CONTENT  /* form 1.0: before the content, in blocks of its own */
};

/* What the records of one pax header say that matters here. Strings point into the records. */
struct pax_records {
	const char *path; /* NULL where there is none; not NUL-terminated */
	size_t path_length;
	bool has_size;
	int64_t size_bytes;
	bool has_linkpath;
	unsigned sparse_keys; /* which GNU.sparse.* there are, for tarheader.c only */
	enum sparse_form sparse;
	struct sparse_map map; /* SPARSE_IN_RECORDS: its pieces, not closed yet */
	bool awaits_length;
	int64_t piece_offset;
	int64_t sparse_pieces;
	int64_t sparse_major;
	int64_t sparse_minor;
	int64_t real_bytes;
	const char *sparse_name; /* instead of path */
	size_t sparse_name_length;
	bool has_lines; /* in a value */
};

/* Reads the content of a pax header ("27 path=…\n"…). NULL, or what is wrong with it. finish frees the map.
 */
const char *pax_records_read(const char *records, size_t length, struct pax_records *out);
void pax_records_finish(struct pax_records *records);

#endif
