/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes to pull: the one shape in which spool, gunzip, tar members and the protobuf reader hand bytes to each
 * other. */
#ifndef COMMON_STREAM_H
#define COMMON_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct stream {
	/* Gives the next piece, without copying where it can: *data is valid until the next call. A length of
	 * 0 is the end, and stays so. May block. */
	bool (*next)(struct stream *stream, const uint8_t **data, size_t *length, struct err *err);

	/* Reads length bytes of what was given, from an offset on, once more; *out_read is less where they
	 * are gone, or have not come. NULL: it keeps nothing. */
	bool (*again)(struct stream *stream, int64_t offset, void *out, size_t length, size_t *out_read,
		struct err *err);
};

static inline bool stream_next(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	return stream->next(stream, data, length, err);
}

/* Reads and drops all that is left. */
bool stream_drain(struct stream *stream, struct err *err);

/* A stream over bytes in memory, which it does not own: struct memory_stream m; stream =
 * memory_stream_init(&m, …). */
struct memory_stream {
	struct stream stream;
	const uint8_t *data;
	size_t length; /* that was not given yet */
	size_t size;
};
struct stream *memory_stream_init(struct memory_stream *memory, const void *data, size_t length);

#endif
