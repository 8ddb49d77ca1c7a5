/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/tflite.h"

#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/module/archives/magic.h"
#include "server/module/formats/tflitelisting.h"
#include "server/module/formats/tfliteops.h"
#include "server/module/formats/tfliteschema.h"
#include "server/module/violations.h"

/* What builders put behind the last object, so that it ends where the widest number may begin. */
enum { PADDING_MAX = 16, ZIP_END_BYTES = 22, ZIP_LOOK_BYTES = ZIP_END_BYTES + 65535 };

/* So many line ends that all are CR LF are no chance: one in 256 would be. */
enum { TRANSLATED_LINES_MIN = 8 };

/* The first bytes: the root table's offset, then the file identifier, or else what tells what it is. */
struct beginning {
	uint8_t bytes[MAGIC_BYTES];
	size_t length;
};

static void add_beginning(struct beginning *beginning, const uint8_t *data, size_t length)
{
	size_t room = sizeof beginning->bytes - beginning->length;

	length = length < room ? length : room;
	memcpy(beginning->bytes + beginning->length, data, length);
	beginning->length += length;
}

static bool judge_beginning(struct examination *examination, const struct beginning *beginning)
{
	const struct magic *magic = magic_find(beginning->bytes, beginning->length);
	const char *advice = magic->advice[MAGIC_FOR_TFLITE];

	if (beginning->length >= 8 && memcmp(beginning->bytes + 4, "TFL3", 4) == 0)
		return true;
	if (beginning->length == 0)
		violations_add(
			examination, RULE_TFLITE_MAGIC, "", "The file is empty: send the model itself.");
	else
		violations_add(examination, RULE_TFLITE_MAGIC, "",
			"This is no TensorFlow Lite model: it does not have \"TFL3\" at byte 4, and looks "
			"like %s; %s.",
			magic->meaning, advice);
	return false;
}

/* Line feeds, for as long as each has a carriage return before it. */
struct line_ends {
	bool has_bare;
	uint8_t last;
	int64_t count;
};

static void count_line_ends(struct line_ends *lines, const uint8_t *data, size_t length)
{
	const uint8_t *end = data + length;
	const uint8_t *at = data;

	while (!lines->has_bare && (at = memchr(at, '\n', (size_t)(end - at)))) {
		lines->has_bare = (at == data ? lines->last : at[-1]) != '\r';
		lines->count++;
		at++;
	}
	lines->last = end[-1];
}

/* One pass over a file. */
struct passing {
	struct beginning beginning;
	struct line_ends lines;
	int64_t total;
	bool is_too_large;
};

static bool pass(struct passing *file, struct stream *stream, int64_t max_bytes, struct err *err)
{
	const uint8_t *data;
	size_t length;

	do {
		if (!stream_next(stream, &data, &length, err))
			return false;
		file->total += (int64_t)length;
		file->is_too_large = max_bytes > 0 && file->total > max_bytes;
		if (length > 0) {
			add_beginning(&file->beginning, data, length);
			count_line_ends(&file->lines, data, length);
		}
	} while (length > 0 && !file->is_too_large);
	return true;
}

static bool all_zero(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

/* What lies behind the flatbuffer. */
enum tail {
	TAIL_WHOLE,   /* its padding */
	TAIL_ZIP,     /* a zip of metadata that ends with the file */
	TAIL_CUT_ZIP, /* a zip that does not end */
	TAIL_UNKNOWN
};

static bool begins_zip(const uint8_t *bytes, size_t length)
{
	return memmem(bytes, length, "PK\3\4", 4) != NULL;
}

/* Looks for the end of a zip, which a comment may follow. */
static enum tail judge_zip(const uint8_t *last, size_t length)
{
	static const uint8_t sign[] = {'P', 'K', 5, 6};
	const uint8_t *end = last + length;

	if (length >= ZIP_END_BYTES && memcmp(end - ZIP_END_BYTES, sign, sizeof sign) == 0 &&
		all_zero(end - 2, 2))
		return TAIL_ZIP;
	return memmem(last, length, sign, sizeof sign) ? TAIL_UNKNOWN : TAIL_CUT_ZIP;
}

static bool look_behind(struct stream *stream, int64_t end, int64_t total, enum tail *out, struct err *err)
{
	size_t length = total - end < ZIP_LOOK_BYTES ? (size_t)(total - end) : ZIP_LOOK_BYTES;
	AUTO_FREE uint8_t *bytes = mem_zero(ZIP_LOOK_BYTES, 1);
	size_t first = length < PADDING_MAX + 4 ? length : PADDING_MAX + 4;
	size_t got;

	*out = TAIL_UNKNOWN;
	if (!stream->again(stream, end, bytes, first, &got, err))
		return false;
	if (length <= PADDING_MAX && all_zero(bytes, length)) {
		*out = TAIL_WHOLE;
		return true;
	}
	if (!begins_zip(bytes, first))
		return true;
	if (!stream->again(stream, total - (int64_t)length, bytes, length, &got, err))
		return false;
	*out = judge_zip(bytes, length);
	return true;
}

static void report(struct examination *examination, const struct passing *file,
	const struct flat_result *result, const char *why)
{
	if (!file->lines.has_bare && file->lines.count >= TRANSLATED_LINES_MIN)
		violations_add(examination, RULE_TFLITE_TEXT_MODE, "",
			"Each line end in it is CR LF: it went through a transfer or a checkout in text "
			"mode, which "
			"changes bytes; take it from its source again, in binary mode.");
	else if (result->is_cut_off)
		violations_add(examination, RULE_TFLITE_CUT, "",
			"The model is cut off: %s Take it from its source again.", why);
	else
		violations_add(examination, RULE_TFLITE_BROKEN, "",
			"This is no whole TensorFlow Lite model: %s Convert it again, or take it from its "
			"source "
			"again.",
			why);
}

/* Whether the stream still has what it gave: one that is passed through does not, and has an upstream that
 * told the length. */
static bool can_look_back(struct stream *stream, bool *out, struct err *err)
{
	uint8_t byte;
	size_t length = 0;

	if (stream->again && !stream->again(stream, 0, &byte, 1, &length, err))
		return false;
	*out = length == 1;
	return true;
}

/* A model with more tables than can be looked at has no listing. */
static bool list(struct examination *examination, struct stream *stream, int64_t size, struct err *err)
{
	struct err why;

	examination->is_listed = true;
	if (tflite_listing_read(stream, size, &examination->saved_model, &why) ||
		why.code == ERR_INVALID_MODULE)
		return true;
	*err = why;
	return false;
}

static bool judge_flatbuffer(
	struct examination *examination, struct stream *stream, const struct passing *file, struct err *err)
{
	struct flat_result result;
	struct err why;
	enum tail tail;
	bool can;

	if (!can_look_back(stream, &can, err))
		return false;
	if (!can)
		return true;
	if (!flatbuffer_check(stream, file->total, &tflite_model_type, &result, &why)) {
		if (why.code == ERR_INVALID_MODULE) {
			report(examination, file, &result, why.text);
			return true;
		}
		*err = why;
		return false;
	}
	if (!list(examination, stream, file->total, err) ||
		!tflite_ops_judge(&examination->safety, stream, file->total, err) ||
		!look_behind(stream, result.end, file->total, &tail, err))
		return false;
	examination->has_proved_end = tail == TAIL_WHOLE || tail == TAIL_ZIP;
	if (tail == TAIL_ZIP)
		safety_findings_add(
			&examination->safety, SAFETY_TFLITE_METADATA, "", "a zip behind the model");
	if (tail == TAIL_CUT_ZIP)
		violations_add(examination, RULE_TFLITE_CUT, "",
			"The zip of metadata behind the model is cut off; take it from its source again.");
	else if (tail == TAIL_UNKNOWN && !file->lines.has_bare && file->lines.count >= TRANSLATED_LINES_MIN)
		report(examination, file, &result, "");
	return true;
}

bool tflite_judge(struct examination *examination, struct stream *stream, int64_t max_bytes, struct err *err)
{
	struct passing file = {0};

	if (!pass(&file, stream, max_bytes, err))
		return false;
	if (file.is_too_large)
		violations_add(examination, RULE_BOMB_SIZE, "", "The file has more than %s.",
			number_size(max_bytes).text);
	if (judge_beginning(examination, &file.beginning) && !file.is_too_large &&
		!judge_flatbuffer(examination, stream, &file, err))
		return false;
	examination->unpacked_bytes = file.total;
	examination->file_count = 1;
	return true;
}
