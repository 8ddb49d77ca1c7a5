/* SPDX-License-Identifier: Apache-2.0 */
#include "common/utf8.h"

#include <string.h>

struct form {
	uint8_t mask; /* of the lead byte */
	uint8_t lead;
	size_t length;
	uint32_t least; /* smaller code points have a shorter form */
};

static const struct form forms[] = {
	{0x80, 0x00, 1, 0}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};

static size_t decode_as(const struct form *form, const uint8_t *bytes, uint32_t *out_code)
{
	uint32_t code = bytes[0] & (uint8_t)~form->mask;

	for (size_t i = 1; i < form->length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	if (code < form->least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*out_code = code;
	return form->length;
}

size_t utf8_decode(const char *text, uint32_t *out_code)
{
	const uint8_t *bytes = (const uint8_t *)text;

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if ((bytes[0] & forms[i].mask) == forms[i].lead)
			return decode_as(&forms[i], bytes, out_code);
	}
	return 0;
}

size_t utf8_encode(uint32_t code, char *out)
{
	size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	for (size_t i = length; i-- > 1; code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(forms[length - 1].lead | code);
	return length;
}

bool utf8_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

bool utf8_is_text(const char *bytes, size_t length)
{
	uint32_t code;
	size_t step = 1;

	for (size_t i = 0; i < length && step > 0; i += step) {
		step = utf8_decode(bytes + i, &code);
		if (step == 0 || code == 0)
			return false;
	}
	return true;
}

bool utf8_is_characters(const char *bytes, size_t length)
{
	uint32_t code;
	size_t step = 1;

	for (size_t i = 0; i < length && step > 0; i += step)
		step = utf8_decode(bytes + i, &code);
	return step > 0 || length == 0;
}

size_t utf8_cut(const char *text, size_t max)
{
	size_t length = strnlen(text, max + 1);

	if (length <= max)
		return length;
	length = max;
	while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	return length;
}
