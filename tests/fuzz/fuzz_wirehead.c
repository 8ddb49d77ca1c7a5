/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as what comes on a connection: wherever it is cut, the head's end is found at the same place;
 * what is passed on has one meaning, and what is said of its length, its body and those behind it lies within
 * the bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/http/fast/wirefields.h"
#include "server/http/fast/wirehead.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static int count_lines(const char *head, size_t length, const char *name)
{
	const char *end = head + length;
	int count = 0;

	for (const char *feed = memchr(head, '\n', length); feed;
		feed = memchr(feed + 1, '\n', (size_t)(end - feed - 1)))
		count += (size_t)(end - feed - 1) > strlen(name) &&
			 strncasecmp(feed + 1, name, strlen(name)) == 0;
	return count;
}

/* Nothing that another server reads in another way. */
static void check_passed(const char *bytes, const struct wire_head *head)
{
	int lengths = count_lines(bytes, head->length, "Content-Length:");
	int codings = count_lines(bytes, head->length, "Transfer-Encoding:");

	check(head->length <= WIRE_HEAD_MAX && head->memory >= head->length);
	check(!memchr(bytes, '\0', head->length));
	check(count_lines(bytes, head->length, "Host:") <= 1 && lengths + codings <= 1);
	check(count_lines(bytes, head->length, " ") == 0 && count_lines(bytes, head->length, "\t") == 0);
	check(head->body >= -1 && (head->body == -1) == (codings == 1));
	check(lengths == 1 || head->body <= 0);
	for (size_t i = 0; i < head->length; i++)
		check(bytes[i] != '\n' || (i > 0 && bytes[i - 1] == '\r'));
}

/* Without empty ones in front, the first, and the last. */
static int count_field_lines(const char *bytes, size_t length)
{
	size_t from = 0;
	int lines = -2;

	while (from < length && (bytes[from] == '\r' || bytes[from] == '\n'))
		from++;
	for (size_t i = from; i < length; i++)
		lines += bytes[i] == '\n';
	return lines;
}

/* Each line of a head that was passed on is a name and a value, and found by its name. */
static void check_fields(const char *bytes, const struct wire_head *head)
{
	struct wire_fields fields;
	int lines = 0;

	wire_fields_read(bytes, head->length, &fields);
	check(*fields.target && fields.method == head->method);
	for (const char *name = fields.first; name < fields.end; lines++) {
		const char *value = name + strlen(name) + 1;

		check(*name && value < fields.end);
		check(wire_fields_find(&fields, name) <= value &&
			wire_fields_find_last(&fields, name) >= value);
		name = value + strlen(value) + 1;
	}
	check(lines == count_field_lines(bytes, head->length));
	wire_fields_finish(&fields);
}

/* The end does not depend on how the bytes came. */
static size_t find_end(const char *bytes, size_t size)
{
	size_t end = wire_head_end(bytes, size, 0);

	for (size_t length = 0; length < size && size <= 512; length++) {
		size_t found = wire_head_end(bytes, length, 0);

		check(found == (end && end <= length ? end : 0));
		check(found || wire_head_end(bytes, size, length) == end);
	}
	return end;
}

static void check_heads(const char *bytes, size_t size, const struct wire_head *first)
{
	struct wire_heads heads;

	wire_heads_read(bytes, size, first, &heads);
	check(heads.count >= 1 && heads.memory >= first->memory);
	check(heads.bytes == -1 || heads.bytes >= (int64_t)first->length);
	check(heads.count == 1 || first->stays);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *bytes = mem_zero(size ? size : 1, 1);
	struct wire_head head;
	struct err err;
	size_t end;

	if (size)
		memcpy(bytes, data, size);
	end = find_end(bytes, size);
	check(end <= size);
	if (!end) {
		(void)wire_head_may_end(bytes, size, &err);
		return 0;
	}
	if (!wire_head_read(bytes, end, &head, &err))
		return 0;
	check(head.length == end);
	check_passed(bytes, &head);
	check_fields(bytes, &head);
	check_heads(bytes, size, &head);
	return 0;
}
