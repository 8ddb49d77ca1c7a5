/* SPDX-License-Identifier: Apache-2.0
 *
 * Any lines as what an upstream answers before a body: memory stays bounded, and what is taken of a field is
 * text without control characters. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/upstream/answer_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t room)
{
	size_t length = strnlen(text, room);

	if (length == room)
		abort();
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			abort();
	}
}

static void check_answer(const struct answer *answer)
{
	check_text(answer->etag, sizeof answer->etag);
	check_text(answer->last_modified, sizeof answer->last_modified);
	check_text(answer->content_type, sizeof answer->content_type);
	check_text(answer->content_encoding, sizeof answer->content_encoding);
	if (answer->length < -1 || answer->range_first < -1 || answer->range_total < -1 ||
		answer->retry_after_s < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer_head head = {0};
	enum head_progress progress = HEAD_MORE;

	while (size > 0 && progress != HEAD_FINAL && progress != HEAD_TOO_LARGE) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) + 1 : size;

		progress = answer_head_add(&head, (const char *)data, length);
		data += length;
		size -= length;
	}
	if (progress == HEAD_FINAL)
		check_answer(&head.answer);
	return 0;
}
