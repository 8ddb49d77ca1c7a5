/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stream.h"

#include <string.h>

bool stream_drain(struct stream *stream, struct err *err)
{
	const uint8_t *data;
	size_t length;

	do {
		if (!stream_next(stream, &data, &length, err))
			return false;
	} while (length > 0);
	return true;
}

static bool next_from_memory(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct memory_stream *memory = (struct memory_stream *)stream;

	(void)err;
	*data = memory->data;
	*length = memory->length;
	memory->length = 0;
	return true;
}

static bool again_from_memory(
	struct stream *stream, int64_t offset, void *out, size_t length, size_t *out_read, struct err *err)
{
	struct memory_stream *memory = (struct memory_stream *)stream;
	size_t left = (uint64_t)offset < memory->size ? memory->size - (size_t)offset : 0;

	(void)err;
	*out_read = length < left ? length : left;
	if (*out_read > 0)
		memcpy(out, memory->data + offset, *out_read);
	return true;
}

struct stream *memory_stream_init(struct memory_stream *memory, const void *data, size_t length)
{
	*memory = (struct memory_stream){.stream = {next_from_memory, again_from_memory},
		.data = data,
		.length = length,
		.size = length};
	return &memory->stream;
}
