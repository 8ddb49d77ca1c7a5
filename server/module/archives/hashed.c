/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/hashed.h"

#include "common/container.h"

static bool next_piece(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct hashed *hashed = CONTAINER_OF(stream, struct hashed, stream);

	if (!stream_next(hashed->source, data, length, err))
		return false;
	hasher_add(hashed->hasher, *data, *length);
	return true;
}

struct stream *hashed_init(struct hashed *hashed, struct stream *source)
{
	*hashed =
		(struct hashed){.stream = {.next = next_piece}, .source = source, .hasher = hasher_create()};
	return &hashed->stream;
}

void hashed_finish(struct hashed *hashed)
{
	hasher_destroy(hashed->hasher);
}

bool hashed_result(struct hashed *hashed, struct digest *out, struct err *err)
{
	if (!stream_drain(&hashed->stream, err))
		return false;
	*out = hasher_result(hashed->hasher);
	return true;
}
