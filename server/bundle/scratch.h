/* SPDX-License-Identifier: Apache-2.0
 *
 * Files without a name, which are gone when they are closed: for what does not belong into memory. */
#ifndef SERVER_BUNDLE_SCRATCH_H
#define SERVER_BUNDLE_SCRATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "common/stream.h"

/* Where they lie, and how much of its disk is to stay free: a daemon may run on it. */
struct scratch_place {
	const char *folder;
	int64_t keep_free_bytes;
};

/* So much is written whatever is to stay free. */
enum { SCRATCH_SMALL_BYTES = 1 << 20 };

/* In this folder; the caller owns *out_fd. */
bool scratch_open(const char *folder, int *out_fd, struct err *err);

/* ERR_NO_SPACE, which says for what, where after so many bytes more in this file less would be free than is
 * to stay so. */
bool scratch_check_room(
	int fd, const struct scratch_place *place, int64_t more_bytes, const char *what, struct err *err);

/* A table of zeros in such a file, in memory as far as there is room: the kernel writes its pages out. All
 * its bytes are claimed on return. ERR_NO_SPACE as above. */
bool scratch_map(
	const struct scratch_place *place, size_t bytes, const char *what, void **out, struct err *err);
/* The place of a look into such a table is a hash of 64 random bits: about each 256th look gives the table's
 * pages back to the file, so that they are no process's for long, whatever it looks at. The table stays as it
 * is. */
void scratch_looked(void *table, size_t bytes, uint64_t hash);
/* Takes NULL. */
void scratch_unmap(void *table, size_t bytes);

/* Reads a file from its beginning, once. finish leaves the file open. */
struct scratch_stream {
	struct stream stream;
	int fd;
	int64_t offset;
	uint8_t *block;
};
void scratch_stream_init(struct scratch_stream *stream, int fd);
void scratch_stream_finish(struct scratch_stream *stream);
#define AUTO_SCRATCH_STREAM AUTO(scratch_stream_finish)

#endif
