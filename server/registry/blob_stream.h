/* SPDX-License-Identifier: Apache-2.0
 *
 * A blob that is read again after it was kept, for nobody who waits: its stream fails with ERR_NOT_FOUND once
 * it was removed, since its room is free only then, or the server stops. */
#ifndef SERVER_REGISTRY_BLOB_STREAM_H
#define SERVER_REGISTRY_BLOB_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/stream.h"

enum { BLOB_STREAM_BLOCK_BYTES = 256 << 10 };

struct blob_stream {
	struct stream stream; /* which can be read twice */
	int fd;
	int64_t offset;
	const atomic_bool *stop;
	uint8_t block[BLOB_STREAM_BLOCK_BYTES];
};

/* Whether it is there still, and the server goes on: to be asked where one piece of the stream becomes very
 * much. */
bool blob_stream_is_wanted(const struct blob_stream *blob_stream);

/* Gives its stream, from the first byte on. The descriptor stays the caller's, and open. */
struct stream *blob_stream_init(struct blob_stream *blob_stream, int fd, const atomic_bool *stop);

#endif
