/* SPDX-License-Identifier: Apache-2.0
 *
 * One archive's files into one flat folder. A file is named by the SHA-256 of its path, so that no name in an
 * archive is ever followed on the disk; one more file records how many there are. */
#ifndef SERVER_STORE_UNPACK_H
#define SERVER_STORE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/archive.h"

/* 0 is no limit. */
struct unpack_limits {
	struct archive_limits archive;
	int64_t max_files;
	int64_t keep_free_bytes;
};

struct unpack_name {
	char text[65];
};

/* The name in the folder of the file with this path in normal form. */
struct unpack_name unpack_name(const char *path);

/* Reads the archive from its first byte to its verified end into the folder, which is empty; durable on
 * return. ERR_NO_SPACE; ERR_INTERNAL for an archive that breaks the limits or is broken: it was examined
 * before. */
bool unpack_archive(int archive_fd, int folder_fd, const struct unpack_limits *limits, struct err *err);

/* How many files were unpacked into the folder; false where it does not say. */
bool unpack_read_count(int folder_fd, int64_t *out);

#endif
