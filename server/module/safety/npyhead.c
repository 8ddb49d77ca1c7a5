/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/npyhead.h"

#include <string.h>

enum { MAGIC_END = 6, HEAD_MIN = 12 };

static size_t begin_of(const uint8_t *bytes)
{
	return bytes[MAGIC_END] == 1 ? 10 : 12;
}

size_t npyhead_end(const uint8_t *bytes, size_t length)
{
	size_t head;

	if (length < HEAD_MIN || memcmp(bytes, "\x93NUMPY", MAGIC_END) != 0)
		return 0;
	head = bytes[8] | (size_t)bytes[9] << 8;
	if (bytes[MAGIC_END] != 1)
		head |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
	return begin_of(bytes) + head;
}

struct text {
	const char *at;
	const char *end;
};

static bool skip(struct text *text, const char *wanted)
{
	size_t length = strlen(wanted);

	if ((size_t)(text->end - text->at) < length || memcmp(text->at, wanted, length) != 0)
		return false;
	text->at += length;
	return true;
}

/* How many of these bytes there were. */
static size_t skip_all(struct text *text, const char *wanted)
{
	const char *begin = text->at;

	while (text->at < text->end && *text->at && strchr(wanted, *text->at))
		text->at++;
	return (size_t)(text->at - begin);
}

static bool skip_one(struct text *text, const char *wanted)
{
	bool is_one = text->at < text->end && *text->at && strchr(wanted, *text->at);

	text->at += is_one;
	return is_one;
}

bool npyhead_is_of_numbers(const uint8_t *bytes, size_t end)
{
	struct text text = {(const char *)bytes + begin_of(bytes), (const char *)bytes + end};

	if (!skip(&text, "{'descr': '"))
		return false;
	(void)skip_one(&text, "<>|=");
	if (!skip_one(&text, "?biufcSUVmM"))
		return false;
	(void)skip_all(&text, "0123456789");
	if (!skip(&text, "', 'fortran_order': ") || !(skip(&text, "True") || skip(&text, "False")) ||
		!skip(&text, ", 'shape': ("))
		return false;
	(void)skip_all(&text, "0123456789L, ");
	if (!skip(&text, ")"))
		return false;
	(void)skip_all(&text, ", ");
	if (!skip(&text, "}"))
		return false;
	(void)skip_all(&text, " \n");
	return text.at == text.end;
}

bool npyhead_may_be_of_objects(const uint8_t *bytes, size_t end)
{
	return memchr(bytes, 'O', end) || memmem(bytes, end, "object", 6);
}
