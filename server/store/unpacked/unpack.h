/* SPDX-License-Identifier: Apache-2.0
 *
 * One archive's files into one flat folder. A file is named by the SHA-256 of its path, so that no name in an
 * archive is ever followed on the disk, and has its own checksums behind its content; one more file records
 * how many there are, and their bytes. */
#ifndef SERVER_STORE_UNPACKED_UNPACK_H
#define SERVER_STORE_UNPACKED_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/archives/archive.h"
#include "server/store/filesums.h"

/* Who grants room: asked before anything and before each file is written, with what is there and what will be
 * then, in all; never less is meant than was granted before. extend may be NULL. */
struct unpack_room {
	int64_t keep_free_bytes; /* that stay free on the disk, besides */
	bool (*extend)(void *context, int64_t written_bytes, int64_t bytes, struct err *err);
	void *context;
};

/* What a folder holds. The bytes are those of the disk. */
struct unpack_record {
	int64_t files;
	int64_t bytes;
};

struct unpack_name {
	char text[72];
};

/* The name in the folder of the file with this path in normal form. */
struct unpack_name unpack_name(const char *path);

/* Unpacks a whole archive from its first byte to its verified end into the folder, which is empty; durable on
 * return. *sums is given the SHA-256 of its files. ERR_NO_SPACE, and what room answers; ERR_INTERNAL for an
 * archive that breaks the limits or is broken: it was examined before. */
bool unpack_archive(int archive_fd, int folder_fd, const struct archive_limits *limits,
	const struct unpack_room *room, struct unpack_record *out, struct filesums *sums, struct err *err);

/* Reads how many bytes of content an unpacked file has, from its first on, and their checksums; false where
 * it does not say. */
bool unpack_read_sums(int fd, int64_t *out_size, struct checksums *out);

/* What was unpacked into the folder; false where it does not say. */
bool unpack_read_record(int folder_fd, struct unpack_record *out);

#endif
