/* SPDX-License-Identifier: Apache-2.0
 *
 * One header block of a tar and the records of a pax header, read strictly: what tar readers would understand
 * differently is refused. It knows blocks, not the stream they come from. */
#ifndef SERVER_MODULE_TARHEADER_H
#define SERVER_MODULE_TARHEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TAR_BLOCK = 512, TAR_NAME_MAX = 256 };

/* Beyond any file there is, so that sums of sizes do not overflow. */
#define TAR_SIZE_MAX ((int64_t)1 << 56)

struct tar_header {
	char name[TAR_NAME_MAX + 1]; /* prefix and name joined */
	char type;                   /* the type flag; '\0' in old tars */
	bool folder_by_slash;  /* type '\0' and a trailing slash in the name field: a folder before POSIX */
	bool sparse_continues; /* GNU sparse: a block with more of the map follows */
	int64_t size_bytes;
};

/* Reads a block that is not all zeros. NULL, or what is wrong with it (a clause: "its checksum is wrong"). */
const char *tar_header_read(const uint8_t block[TAR_BLOCK], struct tar_header *out);

/* What the records of one pax header say that matters here. Strings point into the records. */
struct pax_records {
	const char *path; /* NULL where there is none; not NUL-terminated */
	size_t path_length;
	bool has_size;
	int64_t size_bytes;
	bool has_linkpath;
	bool is_sparse; /* any GNU.sparse.* */
};

/* Reads the content of a pax header ("27 path=…\n"…). NULL, or what is wrong with it. */
const char *pax_records_read(const char *records, size_t length, struct pax_records *out);

#endif
