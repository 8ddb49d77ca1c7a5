/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/spool_stream.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/container.h"
#include "common/file.h"
#include "common/mem.h"

enum { STREAM_BLOCK = 256 << 10 };

/* What was handed out last is done with, and the time that comes next is not spent on it. */
static void settle(struct spool_stream *stream)
{
	if (stream->handed_us == 0)
		return;
	spool_note_done(stream->spool, &stream->reader, (int64_t)stream->handed,
		clock_monotonic_us() - stream->handed_us);
	stream->handed_us = 0;
}

static bool next_from_spool(struct stream *base, const uint8_t **data, size_t *length, struct err *err)
{
	struct spool_stream *stream = CONTAINER_OF(base, struct spool_stream, stream);
	int64_t available = 0;
	size_t wanted;

	settle(stream);
	if (!spool_wait_bytes(stream->spool, stream->offset, &available, err))
		return false;
	stream->handed_us = clock_monotonic_us();
	wanted = available - stream->offset < STREAM_BLOCK ? (size_t)(available - stream->offset)
							   : STREAM_BLOCK;
	if (!file_read_at(spool_fd(stream->spool), stream->block, wanted, stream->offset, length, err))
		return false;
	stream->handed = *length;
	stream->offset += (int64_t)*length;
	*data = stream->block;
	return spool_advance(stream->spool, &stream->reader, stream->offset) ||
	       err_set(err, ERR_NO_SPACE, "what was to be inspected is gone already");
}

/* In pass-through, what was given back is gone. */
static bool again_from_spool(
	struct stream *base, int64_t offset, void *out, size_t length, size_t *out_read, struct err *err)
{
	struct spool_stream *stream = CONTAINER_OF(base, struct spool_stream, stream);
	struct err why;

	*out_read = 0;
	return spool_is_pass_through(stream->spool, &why) ||
	       file_read_at(spool_fd(stream->spool), out, length, offset, out_read, err);
}

void spool_stream_init(struct spool_stream *stream, struct spool *spool)
{
	*stream = (struct spool_stream){.stream = {next_from_spool, again_from_spool},
		.spool = spool_acquire(spool),
		.reader.steady = true,
		.block = mem_zero(STREAM_BLOCK, 1)};
	spool_join(spool, &stream->reader);
}

void spool_stream_finish(struct spool_stream *stream)
{
	spool_part(stream->spool, &stream->reader);
	free(stream->block);
	spool_release(stream->spool);
	*stream = (struct spool_stream){0};
}
