/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/marks.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/own.h"

enum { MARKED_MAX = 16, SHORT = 2 };

static bool begins_word(const char *text, const char *at)
{
	return at == text || (!isalnum((unsigned char)at[-1]) && !(at[-1] & 0x80));
}

/* The bytes at this place that the longest of the words are; 0: none of them is there. */
static size_t match(const char *text, const char *at, const char *words)
{
	size_t longest = 0, length;

	for (size_t i = 0; i < MARKED_MAX && *words; i++, words += length) {
		words += strspn(words, " \t\r\n");
		length = strcspn(words, " \t\r\n");
		if (length > longest && strncasecmp(at, words, length) == 0 &&
			(length > SHORT || begins_word(text, at)))
			longest = length;
	}
	return longest;
}

static void write_part(struct html *html, const char *begin, size_t length, bool marked)
{
	AUTO_FREE char *part = mem_dup_n(begin, length);

	if (length == 0)
		return;
	if (marked)
		HTML(html, "<mark>%s</mark>", part);
	else
		HTML(html, "%s", part);
}

void marks_write(struct html *html, const char *text, const char *words)
{
	const char *begin = text;

	for (const char *at = text; words && *at;) {
		size_t length = match(text, at, words);

		if (length == 0) {
			at++;
			continue;
		}
		write_part(html, begin, (size_t)(at - begin), false);
		write_part(html, at, length, true);
		begin = at += length;
	}
	HTML(html, "%s", begin);
}
