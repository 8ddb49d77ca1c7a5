/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange/dechunk.h"

#include <string.h>

#include "server/http/http_token.h"

enum { DIGITS_MAX = 15 }; /* of a size, which then fits into 63 bits */

static bool refuse(struct err *err, const char *what)
{
	(void)err_set(err, ERR_BAD_REQUEST,
		"the body's chunks cannot be read (RFC 9112, 7.1): %s; send the body again, or with a "
		"Content-Length",
		what);
	return false;
}

/* ---- one line, without its end ---- */

struct text {
	const char *at;
	const char *end;
};

static bool take_character(struct text *text, char c)
{
	bool found = text->at < text->end && *text->at == c;

	text->at += found;
	return found;
}

static void take_blanks(struct text *text)
{
	while (take_character(text, ' ') || take_character(text, '\t'))
		continue;
}

static bool take_token(struct text *text)
{
	const char *from = text->at;

	text->at += http_token_length(text->at, (size_t)(text->end - text->at));
	return text->at > from;
}

static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

/* Behind its first quote. */
static bool take_quoted(struct text *text)
{
	while (text->at < text->end && *text->at != '"') {
		text->at += *text->at == '\\';
		if (text->at == text->end || is_control(*text->at))
			return false;
		text->at++;
	}
	return take_character(text, '"');
}

static bool take_extension(struct text *text)
{
	take_blanks(text);
	if (!take_character(text, ';'))
		return false;
	take_blanks(text);
	if (!take_token(text))
		return false;
	if (text->at == text->end || !memchr(" \t=", *text->at, 3))
		return true;
	/* Blanks may stand before "=", and before the next ";". */
	struct text before = *text;

	take_blanks(text);
	if (!take_character(text, '=')) {
		*text = before;
		return true;
	}
	take_blanks(text);
	return take_character(text, '"') ? take_quoted(text) : take_token(text);
}

static int digit_of(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)((found - digits) % 16) : -1;
}

static bool read_size(struct text *text, int64_t *out, struct err *err)
{
	const char *from = text->at;
	size_t digits = 0;
	int64_t size = 0;

	for (; text->at < text->end && digit_of(*text->at) >= 0; text->at++) {
		digits += digits > 0 || *text->at != '0';
		if (digits > DIGITS_MAX)
			return refuse(err, "a chunk has a size that no body has");
		size = size * 16 + digit_of(*text->at);
	}
	*out = size;
	return text->at > from ||
	       refuse(err, "a chunk does not begin with its size in hexadecimal digits and CR LF");
}

/* ---- lines ---- */

static bool end_size_line(struct dechunk *dechunk, struct err *err)
{
	struct text text = {dechunk->line, dechunk->line + dechunk->length};
	int64_t size = 0;

	if (!read_size(&text, &size, err))
		return false;
	while (text.at < text.end) {
		if (!take_extension(&text))
			return refuse(err,
				"something that is no extension stands behind a chunk's size, before CR LF");
	}
	dechunk->left = size;
	dechunk->state = size > 0 ? DECHUNK_DATA : DECHUNK_TRAILER;
	return true;
}

static bool end_data_line(struct dechunk *dechunk, struct err *err)
{
	dechunk->state = DECHUNK_SIZE;
	return dechunk->length == 0 || refuse(err, "CR LF is missing behind a chunk's bytes");
}

static bool is_field(const struct dechunk *dechunk)
{
	struct text text = {dechunk->line, dechunk->line + dechunk->length};

	if (!take_token(&text) || !take_character(&text, ':'))
		return false;
	while (text.at < text.end && !is_control(*text.at))
		text.at++;
	return text.at == text.end;
}

static bool end_trailer_line(struct dechunk *dechunk, struct err *err)
{
	if (dechunk->length == 0) {
		dechunk->state = DECHUNK_END;
		return true;
	}
	dechunk->trailers++;
	dechunk->trailer_bytes += dechunk->length;
	if (dechunk->trailers > DECHUNK_TRAILERS_MAX || dechunk->trailer_bytes > DECHUNK_TRAILER_BYTES_MAX)
		return refuse(err, "more stands behind the last chunk than a trailer has");
	return is_field(dechunk) || refuse(err, "a line behind the last chunk is no header field");
}

static bool end_line(struct dechunk *dechunk, struct err *err)
{
	static bool (*const ends[])(struct dechunk *, struct err *) = {
		[DECHUNK_SIZE] = end_size_line,
		[DECHUNK_DATA_END] = end_data_line,
		[DECHUNK_TRAILER] = end_trailer_line,
	};
	bool good = ends[dechunk->state](dechunk, err);

	dechunk->length = 0;
	return good;
}

static bool is_too_long(const struct dechunk *dechunk, struct err *err)
{
	static const struct {
		size_t most;
		const char *what;
	} limits[] = {
		[DECHUNK_SIZE] = {DECHUNK_SIZE_LINE_MAX, "a chunk's size has too many extensions"},
		[DECHUNK_DATA_END] = {0, "CR LF is missing behind a chunk's bytes"},
		[DECHUNK_TRAILER] = {DECHUNK_LINE_MAX, "a line behind the last chunk is too long"},
	};
	/* CR may be the last. */
	bool is_cr = dechunk->length > 0 && dechunk->line[dechunk->length - 1] == '\r';

	return dechunk->length - is_cr > limits[dechunk->state].most &&
	       !refuse(err, limits[dechunk->state].what);
}

/* A line ends with CR LF, and neither stands anywhere else. */
static bool add_to_line(struct dechunk *dechunk, char c, struct err *err)
{
	bool behind_cr = dechunk->length > 0 && dechunk->line[dechunk->length - 1] == '\r';

	if (behind_cr != (c == '\n'))
		return refuse(err, behind_cr ? "CR stands without LF" : "LF stands without CR");
	if (behind_cr) {
		dechunk->length--;
		return end_line(dechunk, err);
	}
	dechunk->line[dechunk->length++] = c;
	return !is_too_long(dechunk, err);
}

bool dechunk_read(struct dechunk *dechunk, const char *bytes, size_t length, size_t *read, size_t *data,
	struct err *err)
{
	size_t at = 0;

	while (at < length && dechunk->state != DECHUNK_DATA && dechunk->state != DECHUNK_END) {
		if (!add_to_line(dechunk, bytes[at++], err))
			return false;
	}
	*read = at;
	*data = 0;
	if (dechunk->state == DECHUNK_DATA)
		*data = (int64_t)(length - at) < dechunk->left ? length - at : (size_t)dechunk->left;
	return true;
}

void dechunk_take(struct dechunk *dechunk, size_t data)
{
	dechunk->left -= (int64_t)data;
	if (dechunk->left == 0 && dechunk->state == DECHUNK_DATA)
		dechunk->state = DECHUNK_DATA_END;
}
