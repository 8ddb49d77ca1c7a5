/* SPDX-License-Identifier: Apache-2.0
 *
 * A blocking stream over all bytes of a spool from the start, for the inspector; a spool may have several.
 * Ends at the last byte of a complete spool; fails with the refusal's error. */
#ifndef SERVER_STORE_SPOOL_STREAM_H
#define SERVER_STORE_SPOOL_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "common/stream.h"
#include "server/store/spool.h"

struct spool_stream {
	struct stream stream;
	struct spool *spool;
	struct spool_reader reader;
	int64_t offset;
	size_t handed;     /* the length of the piece that is read now, */
	int64_t handed_us; /* … since when; 0: none is */
	uint8_t *block;
};
void spool_stream_init(struct spool_stream *stream, struct spool *spool);
void spool_stream_finish(struct spool_stream *stream);

#endif
