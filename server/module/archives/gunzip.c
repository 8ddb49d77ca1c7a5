/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/gunzip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/mem.h"
#include "common/number.h"
#include "server/module/archives/advice.h"
#include "server/module/archives/inflater.h"
#include "server/module/archives/magic.h"

enum { BLOCK_BYTES = 128 << 10, BEGINNING_BYTES = 4096 };

/* So many of its bytes, or line ends, that are all of one kind are no chance. */
enum { STRIPPED_BYTES_MIN = 32, TRANSLATED_LINES_MIN = 8 };

struct gunzip {
	struct stream stream;
	struct stream *source;
	int64_t max_bytes;
	int64_t max_ratio;
	int64_t bytes_in;
	int64_t bytes_out;
	const uint8_t *rest; /* of a piece that is larger than the inflater takes at once */
	size_t rest_length;
	struct inflater *inflater;
	bool starved;
	bool member_ended;
	bool closed; /* nothing lies behind the member */
	enum gunzip_fault fault;
	struct err failure;
	size_t beginning_length;
	uint8_t beginning[BEGINNING_BYTES]; /* what came first, for the words of a refusal */
	uint8_t block[BLOCK_BYTES];
};

static bool fail(struct gunzip *gunzip, enum gunzip_fault fault)
{
	gunzip->fault = fault;
	return false;
}

#define BROKEN(gunzip, ...) \
	(err_set(&(gunzip)->failure, ERR_INVALID_MODULE, __VA_ARGS__), fail((gunzip), GUNZIP_BROKEN))

static void note_beginning(struct gunzip *gunzip, const uint8_t *data, size_t length)
{
	size_t room = BEGINNING_BYTES - gunzip->beginning_length;

	length = length < room ? length : room;
	memcpy(gunzip->beginning + gunzip->beginning_length, data, length);
	gunzip->beginning_length += length;
}

/* The source's next piece. */
static bool take_piece(struct gunzip *gunzip)
{
	if (!stream_next(gunzip->source, &gunzip->rest, &gunzip->rest_length, &gunzip->failure))
		return fail(gunzip, GUNZIP_SOURCE_FAILED);
	if (gunzip->rest_length > 0)
		note_beginning(gunzip, gunzip->rest, gunzip->rest_length);
	return true;
}

/* However small the pieces are that it comes in, it is told what it looks like. */
static bool refuse_beginning(struct gunzip *gunzip)
{
	const uint8_t *data = gunzip->beginning;
	const struct magic *magic;
	const char *advice;

	while (gunzip->rest_length > 0 && gunzip->beginning_length < MAGIC_BYTES) {
		if (!take_piece(gunzip))
			return false;
	}
	magic = magic_find(data, gunzip->beginning_length);
	advice = magic->advice[MAGIC_FOR_GZIP];
	if (gunzip->beginning_length == 1)
		return BROKEN(gunzip, "This is not gzip: it begins with %02x and looks like %s; %s.", data[0],
			magic->meaning, advice);
	return BROKEN(gunzip, "This is not gzip: it begins with %02x %02x and looks like %s; %s.", data[0],
		data[1], magic->meaning, advice);
}

static bool begins_gzip(const uint8_t *data, size_t length)
{
	return data[0] == 0x1f && (length == 1 || data[1] == 0x8b);
}

/* Hands the source's next piece to the inflater. */
static bool refill(struct gunzip *gunzip)
{
	size_t length;

	if (gunzip->rest_length == 0 && !take_piece(gunzip))
		return false;
	length = gunzip->rest_length < INFLATER_PIECE_MAX ? gunzip->rest_length : INFLATER_PIECE_MAX;
	if (length == 0)
		return true;
	if (!begins_gzip(gunzip->beginning, gunzip->beginning_length))
		return refuse_beginning(gunzip);
	inflater_feed(gunzip->inflater, gunzip->rest, length);
	gunzip->rest += length;
	gunzip->rest_length -= length;
	gunzip->bytes_in += (int64_t)length;
	return true;
}

/* ---- what happened to a stream that is damaged ---- */

/* As curl's --data takes them out of a file. */
static bool is_stripped(const struct gunzip *gunzip)
{
	for (size_t i = 0; i < gunzip->beginning_length; i++) {
		if (gunzip->beginning[i] == '\0' || gunzip->beginning[i] == '\r' ||
			gunzip->beginning[i] == '\n')
			return false;
	}
	return gunzip->beginning_length >= STRIPPED_BYTES_MIN;
}

static bool is_translated(const struct gunzip *gunzip)
{
	size_t lines = 0;

	for (size_t i = 1; i < gunzip->beginning_length; i++) {
		if (gunzip->beginning[i] != '\n')
			continue;
		if (gunzip->beginning[i - 1] != '\r')
			return false;
		lines++;
	}
	return lines >= TRANSLATED_LINES_MIN;
}

static const char *explain_damage(const struct gunzip *gunzip)
{
	if (is_stripped(gunzip))
		return "it has neither line ends nor NULs, which curl's --data takes out of a file: send it "
		       "with -T or --data-binary";
	if (is_translated(gunzip))
		return "each line end in it is CR LF, as after a transfer or a checkout in text mode: take "
		       "it from its source again, in binary mode";
	return "send it again, or take it from its source again";
}

static bool judge(struct gunzip *gunzip, enum inflated inflated)
{
	switch (inflated) {
	case INFLATED_FULL:
	case INFLATED_STARVED:
	case INFLATED_ENDED:
		gunzip->starved = inflated == INFLATED_STARVED;
		gunzip->member_ended = inflated == INFLATED_ENDED;
		return true;
	case INFLATED_WRONG_CRC:
		return BROKEN(gunzip,
			"The CRC at the end of the gzip stream does not match its content, which was damaged "
			"on the way: %s.",
			explain_damage(gunzip));
	case INFLATED_WRONG_LENGTH:
		return BROKEN(gunzip,
			"The length at the end of the gzip stream does not match its content, which was "
			"damaged on the way: %s.",
			explain_damage(gunzip));
	case INFLATED_BROKEN:
		break;
	}
	return BROKEN(gunzip, "The gzip stream is broken at about byte %" PRId64 " (%s): %s.",
		gunzip_bytes_in(gunzip), inflater_complaint(gunzip->inflater), explain_damage(gunzip));
}

/* Inflates once, behind what is filled of the block. */
static bool inflate_some(struct gunzip *gunzip, size_t *filled)
{
	size_t length = BLOCK_BYTES - *filled;
	enum inflated inflated;

	if (gunzip->starved && inflater_left(gunzip->inflater) == 0) {
		if (!refill(gunzip))
			return false;
		if (inflater_left(gunzip->inflater) == 0)
			return gunzip->bytes_in == 0
				       ? BROKEN(gunzip, "The file is empty: send the archive itself.")
				       : BROKEN(gunzip,
						 "The gzip stream is cut off after %" PRId64 " bytes: %s.",
						 gunzip->bytes_in, explain_damage(gunzip));
	}
	inflated = inflater_run(gunzip->inflater, gunzip->block + *filled, &length);
	*filled += length;
	return judge(gunzip, inflated);
}

static bool behind_the_end(struct gunzip *gunzip, const uint8_t *rest, size_t length, int64_t end)
{
	bool is_gzip = length > 1 && rest[0] == 0x1f && rest[1] == 0x8b;

	return BROKEN(gunzip,
		"There %s after the end of the gzip stream at byte %" PRId64
		", which hub clients ignore silently; make it one with " ADVICE_REGZIP ".",
		is_gzip ? "is another gzip stream" : "are bytes", end);
}

/* bsdtar fills the last record with zeros behind the gzip stream; every client takes them. */
static bool check_end(struct gunzip *gunzip)
{
	int64_t end = gunzip_bytes_in(gunzip);
	size_t length = inflater_left(gunzip->inflater);

	for (;; length = inflater_left(gunzip->inflater)) {
		const uint8_t *rest = gunzip->rest - length;

		if (!mem_is_zero(rest, length))
			return behind_the_end(gunzip, rest, length, end);
		inflater_feed(gunzip->inflater, NULL, 0);
		if (!refill(gunzip))
			return false;
		if (inflater_left(gunzip->inflater) == 0)
			break;
	}
	gunzip->closed = true;
	return true;
}

static bool check_limits(struct gunzip *gunzip)
{
	int64_t in = gunzip_bytes_in(gunzip);

	if (gunzip->max_bytes > 0 && gunzip->bytes_out > gunzip->max_bytes) {
		(void)err_set(&gunzip->failure, ERR_INVALID_MODULE, "The archive unpacks to more than %s.",
			number_size(gunzip->max_bytes).text);
		return fail(gunzip, GUNZIP_TOO_LARGE);
	}
	if (gunzip->max_ratio > 0 && gunzip->bytes_out >= GUNZIP_RATIO_FROM_BYTES &&
		gunzip->bytes_out / gunzip->max_ratio > in) {
		(void)err_set(&gunzip->failure, ERR_INVALID_MODULE,
			"The archive unpacks to more than %" PRId64 " times its size (%" PRId64
			" bytes from %" PRId64 ").",
			gunzip->max_ratio, gunzip->bytes_out, in);
		return fail(gunzip, GUNZIP_RATIO);
	}
	return true;
}

static bool fill_block(struct gunzip *gunzip, size_t *length)
{
	size_t filled = 0;

	while (!gunzip->member_ended && filled < BLOCK_BYTES) {
		if (!inflate_some(gunzip, &filled))
			return false;
	}
	*length = filled;
	gunzip->bytes_out += (int64_t)filled;
	if (filled == 0 && !gunzip->closed && !check_end(gunzip))
		return false;
	return check_limits(gunzip);
}

static bool next_block(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct gunzip *gunzip = CONTAINER_OF(stream, struct gunzip, stream);
	size_t filled;

	if (gunzip->fault != GUNZIP_SOUND || !fill_block(gunzip, &filled)) {
		*err = gunzip->failure;
		return false;
	}
	*data = gunzip->block;
	*length = filled;
	return true;
}

struct gunzip *gunzip_create(struct stream *source, int64_t max_bytes, int64_t max_ratio)
{
	struct gunzip *gunzip = mem_zero(1, sizeof *gunzip);

	gunzip->stream.next = next_block;
	gunzip->source = source;
	gunzip->max_bytes = max_bytes;
	gunzip->max_ratio = max_ratio;
	gunzip->inflater = inflater_create();
	gunzip->starved = true;
	return gunzip;
}

void gunzip_destroy(struct gunzip *gunzip)
{
	if (!gunzip)
		return;
	inflater_destroy(gunzip->inflater);
	free(gunzip);
}

struct stream *gunzip_stream(struct gunzip *gunzip)
{
	return &gunzip->stream;
}

enum gunzip_fault gunzip_fault(const struct gunzip *gunzip)
{
	return gunzip->fault;
}

uint32_t gunzip_crc(const struct gunzip *gunzip)
{
	return inflater_crc(gunzip->inflater);
}

bool gunzip_has_extra(const struct gunzip *gunzip)
{
	return inflater_has_extra(gunzip->inflater);
}

int64_t gunzip_bytes_in(const struct gunzip *gunzip)
{
	return gunzip->bytes_in - (int64_t)inflater_left(gunzip->inflater);
}

int64_t gunzip_bytes_out(const struct gunzip *gunzip)
{
	return gunzip->bytes_out;
}
