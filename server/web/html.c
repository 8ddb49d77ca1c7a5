/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/html.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/uri.h"
#include "common/utf8.h"

static const char replacement[] = "\xef\xbf\xbd";

void html_finish(struct html *html)
{
	buffer_finish(&html->out);
}

static const char *entity(char c)
{
	static const struct {
		char c;
		const char *entity;
	} rows[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].c == c)
			return rows[i].entity;
	}
	return NULL;
}

/* Embeddings, overrides and isolates (UAX #9) would let a name read as another. */
static bool turns_direction(uint32_t code)
{
	return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* What XML has no place for, and no text needs. */
static bool is_no_character(uint32_t code)
{
	return (code & 0xfffe) == 0xfffe;
}

static void add_character(struct buffer *out, const char *text, size_t length, uint32_t code)
{
	const char *escaped = length == 1 ? entity(*text) : NULL;

	if (escaped)
		buffer_add_string(out, escaped);
	else if (length == 0 || (utf8_is_control(code) && !strchr("\t\n", *text)) || turns_direction(code) ||
		 is_no_character(code))
		buffer_add_string(out, replacement);
	else
		buffer_add(out, text, length);
}

static void add_escaped(struct buffer *out, const char *text)
{
	for (size_t length; *text; text += length ? length : 1) {
		uint32_t code;

		length = utf8_decode(text, &code);
		add_character(out, text, length, length ? code : 0);
	}
}

/* Appends the argument that a conversion stands for; the literal goes on behind it. */
static const char *add_argument(struct buffer *out, const char *conversion, va_list *args)
{
	if (*conversion == '%') {
		buffer_add_string(out, "%");
	} else if (*conversion == 's') {
		add_escaped(out, va_arg(*args, const char *));
	} else if (*conversion == 'd') {
		buffer_printf(out, "%d", va_arg(*args, int));
	} else if (strncmp(conversion, PRId64, strlen(PRId64)) == 0) {
		buffer_printf(out, "%" PRId64, va_arg(*args, int64_t));
		return conversion + strlen(PRId64);
	} else {
		abort();
	}
	return conversion + 1;
}

void html_write(struct html *html, const char *literal, ...)
{
	va_list args;

	va_start(args, literal);
	while (*literal) {
		size_t plain = strcspn(literal, "%");

		buffer_add(&html->out, literal, plain);
		literal += plain;
		if (*literal)
			literal = add_argument(&html->out, literal + 1, &args);
	}
	va_end(args);
}

void html_document(struct html *html, const char *rendered)
{
	buffer_add_string(&html->out, rendered);
}

/* What percent-encoding leaves needs no escaping. */
void html_path(struct html *html, const char *path)
{
	uri_encode(&html->out, path, "/");
}

void html_query_value(struct html *html, const char *value)
{
	uri_encode(&html->out, value, "");
}
