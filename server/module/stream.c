/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/stream.h"

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

struct stream *memory_stream_init(struct memory_stream *memory, const void *data, size_t length)
{
	*memory = (struct memory_stream){.stream = {next_from_memory}, .data = data, .length = length};
	return &memory->stream;
}
