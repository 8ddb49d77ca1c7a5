/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/wirefields.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "server/http/request_line.h"

/* Cuts at the byte, and returns what stands behind it. */
static char *cut(char *text, char byte)
{
	char *at = strchr(text, byte);

	*at = '\0';
	return at + 1;
}

/* Cuts at the line's end, and returns the next line. */
static char *cut_line(char *line)
{
	char *next = cut(line, '\n');

	next[-2] = '\0';
	return next;
}

/* The value of a line "Name: value " without the blanks around it. */
static char *cut_value(char *line)
{
	char *value = cut(line, ':');
	size_t length;

	value += strspn(value, " \t");
	for (length = strlen(value); length > 0 && strchr(" \t", value[length - 1]); length--)
		continue;
	value[length] = '\0';
	return value;
}

static char *append(char *out, const char *text)
{
	size_t size = strlen(text) + 1;

	memmove(out, text, size);
	return out + size;
}

/* What is left of a field is never longer than its line was. */
static void read_fields(char *line, struct wire_fields *out)
{
	char *end = line;

	out->first = line;
	while (*line != '\r') {
		char *next = cut_line(line);
		const char *value = cut_value(line);

		end = append(end, line);
		end = append(end, value);
		line = next;
	}
	out->end = end;
}

void wire_fields_read(const char *bytes, size_t length, struct wire_fields *out)
{
	char *text = mem_dup_n(bytes, length);
	char *first = text + request_line_skip_empty(text, length);
	struct request_line line;
	enum request_line_fault fault = request_line_read(first, (size_t)(text + length - first), &line);

	assert(fault == LINE_GOOD);
	(void)fault;
	first[line.target + line.target_length - first] = '\0';
	*out = (struct wire_fields){
		.text = text, .method = line.method, .target = line.target, .is_1_0 = line.minor == 0};
	read_fields(first + line.length, out);
}

void wire_fields_finish(struct wire_fields *fields)
{
	free(fields->text);
	*fields = (struct wire_fields){0};
}

/* From a name on; NULL: none is there any more. */
static const char *find_from(const struct wire_fields *fields, const char *at, const char *name)
{
	while (at < fields->end) {
		const char *value = at + strlen(at) + 1;

		if (strcasecmp(at, name) == 0)
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

const char *wire_fields_find(const void *object, const char *name)
{
	const struct wire_fields *fields = object;

	return find_from(fields, fields->first, name);
}

const char *wire_fields_find_last(const void *object, const char *name)
{
	const struct wire_fields *fields = object;
	const char *last = NULL;
	const char *next = wire_fields_find(fields, name);

	while (next) {
		last = next;
		next = find_from(fields, last + strlen(last) + 1, name);
	}
	return last;
}
