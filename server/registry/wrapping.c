/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/wrapping.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "server/module/archives/inflater.h"
#include "server/module/archives/stored.h"
#include "server/registry/proof.h"
#include "server/registry/verdict.h"

enum {
	PROBE_BYTES = 512,    /* of what is inside: a tar's first head */
	HELD_MAX = 128 << 10, /* whatever needs more to begin is no module */
	BLOCK_BYTES = 64 << 10,
	SWELL_MAX = 64, /* whole blocks out of one piece that came, which has up to four */
	MAGIC_AT = 4    /* of a tflite, behind a number */
};

struct wrapping {
	struct answer answer;
	enum wrapping_content content;
	enum wrapped wrapped;
	struct buffer held;
	struct inflater *inflater; /* of the coding, from its first byte on */
	bool ended;
	uint8_t *block;
	struct stored *stored;            /* the gzip that a plain tar gets, */
	const struct wrapping_sink *sink; /* … and where it goes now */
	/* What was said of the bytes may be true of those that came, or of those inside. */
	struct testimony said;
	struct sums *came;
	struct sums *inside;
};

/* ---- what bytes look like ---- */

static bool is_gzip(const uint8_t *bytes, size_t length)
{
	return length >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;
}

static bool is_tar(const uint8_t *bytes, size_t length)
{
	return length >= 262 && memcmp(bytes + 257, "ustar", 5) == 0;
}

static bool is_bare(const uint8_t *bytes, size_t length)
{
	return length >= MAGIC_AT + 4 && memcmp(bytes + MAGIC_AT, "TFL3", 4) == 0;
}

/* Whoever labels weights as a page has not made them one. */
static bool is_page(const uint8_t *bytes, size_t length)
{
	static const char *const beginnings[] = {"<!doctype", "<html", "<head", "<!--", "<?xml"};
	size_t at = length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (at < length && bytes[at] && strchr(" \t\r\n", bytes[at]))
		at++;
	for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
		size_t wanted = strlen(beginnings[i]);

		if (length - at >= wanted &&
			strncasecmp((const char *)bytes + at, beginnings[i], wanted) == 0)
			return true;
	}
	return false;
}

static bool is_file(const uint8_t *bytes, size_t length)
{
	return length >= PROBE_BYTES && !is_page(bytes, length);
}

static bool is_content(enum wrapping_content content, const uint8_t *bytes, size_t length)
{
	static bool (*const tests[])(const uint8_t *, size_t) = {
		[CONTENT_ARCHIVE] = is_gzip,
		[CONTENT_MODEL] = is_bare,
		[CONTENT_FILE] = is_file,
	};

	return tests[content](bytes, length);
}

/* ---- what labels say ---- */

static bool is_coded(const struct answer *answer)
{
	return answer->content_encoding[0] && strcasecmp(answer->content_encoding, "identity") != 0;
}

static bool says_gzip(const struct answer *answer)
{
	return strcasestr(answer->content_encoding, "gzip") != NULL;
}

bool wrapping_is_possible(const struct answer *answer, enum wrapping_content content)
{
	return content == CONTENT_ARCHIVE || answer_is_page(answer) || is_coded(answer);
}

bool wrapping_keeps_length(const struct answer *answer)
{
	static const char *const tars[] = {"application/x-tar", "application/tar", "application/x-gtar"};

	for (size_t i = 0; i < sizeof tars / sizeof *tars; i++) {
		if (strncasecmp(answer->content_type, tars[i], strlen(tars[i])) == 0)
			return false;
	}
	return !is_coded(answer) && !answer_is_page(answer);
}

struct wrapping *wrapping_create(const struct answer *answer, enum wrapping_content content)
{
	struct wrapping *wrapping = mem_zero(1, sizeof *wrapping);

	wrapping->answer = *answer;
	wrapping->content = content;
	return wrapping;
}

void wrapping_destroy(struct wrapping *wrapping)
{
	if (!wrapping)
		return;
	buffer_finish(&wrapping->held);
	inflater_destroy(wrapping->inflater);
	stored_destroy(wrapping->stored);
	sums_destroy(wrapping->came);
	sums_destroy(wrapping->inside);
	free(wrapping->block);
	free(wrapping);
}

/* ---- deciding ---- */

/* Unpacks the beginning of what is held; true once there is enough of it, or will be no more. */
static bool look_inside(const struct wrapping *wrapping, uint8_t *out, size_t *length)
{
	AUTO_INFLATER struct inflater *inflater = inflater_create();
	size_t room = PROBE_BYTES;
	enum inflated state;

	inflater_feed(inflater, (const uint8_t *)wrapping->held.data, wrapping->held.length);
	state = inflater_run(inflater, out, &room);
	*length = state == INFLATED_FULL || state == INFLATED_STARVED || state == INFLATED_ENDED ? room : 0;
	return state != INFLATED_STARVED || room == PROBE_BYTES;
}

/* A file is whatever the coding has inside; it says that there is one. */
static bool is_coded_file(const struct wrapping *wrapping, const uint8_t *inside, size_t length)
{
	return wrapping->content == CONTENT_FILE &&
	       !(answer_is_page(&wrapping->answer) && is_page(inside, length));
}

/* It begins as gzip does, and is said to be coded so: is that the archive's own gzip, or one around it? */
static enum wrapped decide_gzip(const struct wrapping *wrapping, bool end)
{
	const struct answer *answer = &wrapping->answer;
	uint8_t inside[PROBE_BYTES];
	size_t length = 0;
	bool enough = look_inside(wrapping, inside, &length);

	if (wrapping->content != CONTENT_FILE && is_content(wrapping->content, inside, length))
		return WRAPPED_CODED;
	if (!enough && !end)
		return WRAPPED_UNDECIDED;
	if (is_coded_file(wrapping, inside, length))
		return WRAPPED_CODED;
	return answer_is_page(answer) && !is_tar(inside, length) ? WRAPPED_PAGE : WRAPPED_NOT;
}

static enum wrapped decide(const struct wrapping *wrapping, bool end)
{
	const uint8_t *bytes = (const uint8_t *)wrapping->held.data;
	size_t length = wrapping->held.length;

	if (is_gzip(bytes, length) && says_gzip(&wrapping->answer))
		return decide_gzip(wrapping, end);
	if (is_content(wrapping->content, bytes, length))
		return WRAPPED_NOT;
	if (length < PROBE_BYTES && !end)
		return WRAPPED_UNDECIDED;
	if (wrapping->content == CONTENT_ARCHIVE && is_tar(bytes, length))
		return WRAPPED_STRIPPED;
	if (wrapping->content == CONTENT_FILE && !is_page(bytes, length))
		return WRAPPED_NOT;
	return answer_is_page(&wrapping->answer) ? WRAPPED_PAGE : WRAPPED_NOT;
}

/* What proves a rest, and what was said, is not of the object that comes out. */
static void begin_converting(struct wrapping *wrapping)
{
	struct answer *answer = &wrapping->answer;
	unsigned wanted = testimony_wanted(&answer->testimony);

	wrapping->said = answer->testimony;
	wrapping->came = sums_create(wanted);
	wrapping->inside = sums_create(wanted);
	answer->testimony.count = 0;
	answer->etag[0] = '\0';
	answer->last_modified[0] = '\0';
}

/* Neither is the length; its end is the coding's own. */
static void begin_unpacking(struct wrapping *wrapping)
{
	begin_converting(wrapping);
	wrapping->block = mem_zero(1, BLOCK_BYTES);
	wrapping->inflater = inflater_create();
	wrapping->answer.length = -1;
	wrapping->answer.until_close = false;
}

static bool put_packed(void *context, const void *bytes, size_t length, struct err *err)
{
	const struct wrapping *wrapping = context;

	(void)err;
	return wrapping->sink->take(wrapping->sink->context, bytes, length);
}

static void begin_packing(struct wrapping *wrapping)
{
	const struct stored_sink sink = {put_packed, wrapping};
	struct answer *answer = &wrapping->answer;

	begin_converting(wrapping);
	wrapping->stored = stored_create(&sink);
	answer->was_packed = true;
	answer->length = stored_size(answer->length);
	answer->range_total = stored_size(answer->range_total);
}

enum wrapped wrapping_look(struct wrapping *wrapping, const void *bytes, size_t length, bool end)
{
	buffer_add(&wrapping->held, bytes, length);
	wrapping->wrapped = decide(wrapping, end || wrapping->held.length > HELD_MAX);
	if (wrapping->wrapped == WRAPPED_CODED)
		begin_unpacking(wrapping);
	if (wrapping->wrapped == WRAPPED_STRIPPED)
		begin_packing(wrapping);
	return wrapping->wrapped;
}

const struct answer *wrapping_answer(const struct wrapping *wrapping)
{
	return &wrapping->answer;
}

const void *wrapping_held(const struct wrapping *wrapping, size_t *length)
{
	*length = wrapping->held.length;
	return wrapping->held.data;
}

/* ---- converting ---- */

static bool fail(const struct wrapping *wrapping, const char *why, struct err *err)
{
	return err_set(err, ERR_UPSTREAM_FAILED, "its Content-Encoding: %.60s %s",
		wrapping->answer.content_encoding, why);
}

static bool pass_on(struct wrapping *wrapping, size_t length, const struct wrapping_sink *sink)
{
	sums_add(wrapping->inside, wrapping->block, length);
	return length == 0 || sink->take(sink->context, wrapping->block, length);
}

/* On the thread that serves all transfers: what a piece may become has an end. */
static bool unpack(struct wrapping *wrapping, const void *bytes, size_t length,
	const struct wrapping_sink *sink, struct err *err)
{
	enum inflated state = INFLATED_FULL;

	if (wrapping->ended && length > 0)
		return fail(wrapping, "has bytes behind its end", err);
	inflater_feed(wrapping->inflater, bytes, length);
	for (int blocks = 0; state == INFLATED_FULL; blocks++) {
		size_t room = BLOCK_BYTES;

		if (blocks > SWELL_MAX)
			return fail(wrapping, "swells without measure", err);
		state = inflater_run(wrapping->inflater, wrapping->block, &room);
		if (!pass_on(wrapping, room, sink))
			return false;
	}
	wrapping->ended = state == INFLATED_ENDED;
	if (wrapping->ended && inflater_left(wrapping->inflater) > 0)
		return fail(wrapping, "has bytes behind its end", err);
	return state == INFLATED_ENDED || state == INFLATED_STARVED || fail(wrapping, "is broken", err);
}

bool wrapping_convert(struct wrapping *wrapping, const void *bytes, size_t length,
	const struct wrapping_sink *sink, struct err *err)
{
	sums_add(wrapping->came, bytes, length);
	if (wrapping->wrapped == WRAPPED_CODED)
		return unpack(wrapping, bytes, length, sink, err);
	wrapping->sink = sink;
	return stored_write(wrapping->stored, bytes, length, err);
}

bool wrapping_end(struct wrapping *wrapping, const struct wrapping_sink *sink, struct err *err)
{
	uint8_t came[SUM_COUNT][SUM_BYTES_MAX] = {0};
	uint8_t inside[SUM_COUNT][SUM_BYTES_MAX] = {0};

	if (wrapping->wrapped == WRAPPED_CODED && !wrapping->ended)
		return fail(wrapping, "is cut off", err);
	sums_result(wrapping->came, came);
	sums_result(wrapping->inside, inside);
	if (!proof_hold(&wrapping->said, came, wrapping->wrapped == WRAPPED_CODED ? inside : NULL, err))
		return false;
	wrapping->sink = sink;
	return wrapping->wrapped != WRAPPED_STRIPPED || stored_finish(wrapping->stored, err);
}
