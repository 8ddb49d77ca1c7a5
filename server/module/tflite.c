/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/tflite.h"

#include <string.h>

#include "common/number.h"
#include "server/module/violations.h"

/* The first bytes: the root table's offset, then the file identifier. */
struct beginning {
	uint8_t bytes[8];
	size_t length;
};

static void add_beginning(struct beginning *beginning, const uint8_t *data, size_t length)
{
	size_t room = sizeof beginning->bytes - beginning->length;

	length = length < room ? length : room;
	memcpy(beginning->bytes + beginning->length, data, length);
	beginning->length += length;
}

static void judge_beginning(struct examination *examination, const struct beginning *beginning)
{
	if (beginning->length == 8 && memcmp(beginning->bytes + 4, "TFL3", 4) == 0)
		return;
	if (beginning->length >= 2 && memcmp(beginning->bytes, "\x1f\x8b", 2) == 0)
		violations_add(examination, RULE_TFLITE_MAGIC, "",
			"This is a gzip archive; a .tflite file is published bare, as it came from the "
			"converter.");
	else
		violations_add(examination, RULE_TFLITE_MAGIC, "",
			"This is no TensorFlow Lite model: it does not have \"TFL3\" at byte 4.");
}

bool tflite_judge(struct examination *examination, struct stream *stream, int64_t max_bytes, struct err *err)
{
	struct beginning beginning = {0};
	const uint8_t *data;
	size_t length;
	int64_t total = 0;

	do {
		if (!stream_next(stream, &data, &length, err))
			return false;
		total += (int64_t)length;
		if (length > 0)
			add_beginning(&beginning, data, length);
	} while (length > 0 && (max_bytes <= 0 || total <= max_bytes));
	judge_beginning(examination, &beginning);
	if (length > 0)
		violations_add(examination, RULE_BOMB_SIZE, "", "The file has more than %s.",
			number_size(max_bytes).text);
	examination->unpacked_bytes = total;
	examination->file_count = 1;
	return true;
}
