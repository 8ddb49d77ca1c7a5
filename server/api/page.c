/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/page.h"

#include <string.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/number.h"
#include "common/own.h"

/* ---- cursors: base64url (RFC 4648 section 5) without padding ---- */

enum { PIECE_BYTES = 48, PIECE_CHARACTERS = 64 };

static void exchange_characters(char *text, const char *from, const char *to)
{
	for (; *text; text++) {
		const char *found = strchr(from, *text);

		if (found)
			*text = to[found - from];
	}
}

static void encode_cursor(struct buffer *out, const char *last)
{
	size_t length = strlen(last);

	for (size_t at = 0; at < length; at += PIECE_BYTES) {
		size_t piece = length - at < PIECE_BYTES ? length - at : PIECE_BYTES;
		struct base64 encoded = base64_encode((const uint8_t *)last + at, piece);

		encoded.text[strcspn(encoded.text, "=")] = '\0';
		exchange_characters(encoded.text, "+/", "-_");
		buffer_add_string(out, encoded.text);
	}
}

static bool decode_piece(const char *text, size_t length, uint8_t *out)
{
	char padded[PIECE_CHARACTERS + 1];

	memset(padded, '=', sizeof padded);
	memcpy(padded, text, length);
	padded[(length + 3) / 4 * 4] = '\0';
	exchange_characters(padded, "-_", "+/");
	return length % 4 != 1 && base64_decode(padded, out, length * 3 / 4);
}

static bool decode_cursor(const char *cursor, char out[PAGE_PLACE_MAX + 1])
{
	uint8_t bytes[PAGE_PLACE_MAX + PIECE_BYTES] = {0};
	size_t length = strlen(cursor);
	size_t decoded = length * 3 / 4;

	if (decoded == 0 || decoded > PAGE_PLACE_MAX)
		return false;
	for (size_t at = 0; at < length; at += PIECE_CHARACTERS) {
		size_t piece = length - at < PIECE_CHARACTERS ? length - at : PIECE_CHARACTERS;

		if (!decode_piece(cursor + at, piece, bytes + at * 3 / 4))
			return false;
	}
	for (size_t i = 0; i < decoded; i++) {
		if (bytes[i] <= ' ' || bytes[i] >= 0x7f)
			return false;
	}
	memcpy(out, bytes, decoded);
	out[decoded] = '\0';
	return true;
}

/* ---- what is asked for ---- */

bool page_refuse_cursor(struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST,
		"The cursor is none of ours: take it from \"next\" of the page before.");
}

bool page_read(const struct ask *ask, struct page *out, struct err *err)
{
	const char *limit = ask->limit ? NULL : query_find(ask->query, "limit");
	const char *cursor = query_find(ask->query, "cursor");
	struct page page = {.limit = PAGE_LIMIT_DEFAULT};
	int64_t number = PAGE_LIMIT_DEFAULT;

	if (limit && (!number_parse(limit, &number) || number < 1 || number > PAGE_LIMIT_MAX))
		return err_set(
			err, ERR_BAD_REQUEST, "The limit must be a number from 1 to %d.", PAGE_LIMIT_MAX);
	page.limit = ask->limit ? ask->limit : (size_t)number;
	if (cursor && !decode_cursor(cursor, page.after))
		return page_refuse_cursor(err);
	*out = page;
	return true;
}

bool page_read_position(const struct ask *ask, struct page *out, int64_t *position, struct err *err)
{
	struct page page;
	int64_t number = 0;

	if (!page_read(ask, &page, err))
		return false;
	if (page.after[0] && !number_parse(page.after, &number))
		return page_refuse_cursor(err);
	*out = page;
	*position = number;
	return true;
}

/* ---- the answer ---- */

static void add_parameter(struct buffer *url, const char *name, const char *value)
{
	uri_encode(url, name, "");
	buffer_add_string(url, "=");
	uri_encode(url, value, "/");
	buffer_add_string(url, "&");
}

static json_t *next_url(const struct ask *ask, const char *last)
{
	const struct query *query = ask->query;
	AUTO_BUFFER struct buffer url = {0};

	buffer_add_string(&url, ask->base_url);
	uri_encode(&url, ask->path, "/");
	buffer_add_string(&url, "?");
	for (size_t i = 0; i < query->count; i++) {
		if (strcmp(query->parameters[i].name, "cursor") != 0)
			add_parameter(&url, query->parameters[i].name, query->parameters[i].value);
	}
	buffer_add_string(&url, "cursor=");
	encode_cursor(&url, last);
	return json_string(buffer_string(&url));
}

json_t *page_json(const struct ask *ask, const char *things, json_t *items, int64_t total, const char *last)
{
	json_t *next = last ? next_url(ask, last) : json_null();

	return json_pack("{s:o, s:I, s:o}", things, items, "total", (json_int_t)total, "next", next);
}
