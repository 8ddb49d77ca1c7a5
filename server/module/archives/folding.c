/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/folding.h"

#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

enum { UTF8_BYTES_MAX = 4 };

static int compare(const void *key, const void *element)
{
	uint32_t code = *(const uint32_t *)key;
	const struct fold_range *range = element;

	return code < range->first ? -1 : code > range->last;
}

static uint32_t fold_code(uint32_t code)
{
	const struct fold_range *range =
		bsearch(&code, fold_ranges, fold_range_count, sizeof *fold_ranges, compare);

	if (!range || (code - range->first) % range->step != 0)
		return code;
	return (uint32_t)((int32_t)code + range->distance);
}

size_t folding_room(size_t length)
{
	/* Two bytes become three at most (U+023A). */
	return length + length / 2 + 1;
}

/* The text may end in the middle of a character. */
static size_t decode(const char *text, size_t length, uint32_t *code)
{
	char bytes[UTF8_BYTES_MAX + 1] = "";

	memcpy(bytes, text, length < UTF8_BYTES_MAX ? length : UTF8_BYTES_MAX);
	return utf8_decode(bytes, code);
}

size_t folding_fold(const char *text, size_t length, char *out)
{
	char *end = out;
	uint32_t code;

	for (size_t at = 0; at < length;) {
		uint8_t byte = (uint8_t)text[at];
		size_t step = byte < 0x80 ? 0 : decode(text + at, length - at, &code);

		if (step == 0) {
			*end++ = (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
			at++;
		} else {
			end += utf8_encode(fold_code(code), end);
			at += step;
		}
	}
	*end = '\0';
	return (size_t)(end - out);
}
