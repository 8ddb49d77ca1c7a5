/* SPDX-License-Identifier: Apache-2.0
 *
 * A small file of an archive, kept in memory so that it can be read twice. */
#ifndef SERVER_MODULE_ARCHIVES_SMALLFILE_H
#define SERVER_MODULE_ARCHIVES_SMALLFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/stream.h"

/* More than a pointer of Git LFS has. */
enum { SMALLFILE_BYTES_MAX = 1024 };

struct smallfile {
	struct memory_stream stream;
	uint8_t bytes[SMALLFILE_BYTES_MAX];
	size_t length;
};

/* Reads content, which has no more than SMALLFILE_BYTES_MAX bytes, and gives the stream that has them again;
 * NULL where it failed. */
struct stream *smallfile_read(struct smallfile *file, struct stream *content);

#endif
