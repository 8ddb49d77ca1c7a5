/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/request_line.h"

#include <string.h>

#include "server/http/http_token.h"

enum { VERSION_LENGTH = sizeof " HTTP/1.1\r\n" - 1 };

static bool is_control(char byte)
{
	return ((unsigned char)byte < ' ' && byte != '\t') || byte == 0x7f;
}

/* What is wrong with a line that could not be read; the fault that stands for more comes first. */
static enum request_line_fault find_fault(const char *bytes, size_t length)
{
	const char *feed = memchr(bytes, '\n', length);
	const char *target = bytes + http_token_length(bytes, length) + 1;
	const char *space;
	const char *end;

	if (!feed || feed == bytes || feed[-1] != '\r')
		return LINE_UNENDED;
	end = feed - 1;
	for (const char *at = bytes; at < end; at++) {
		if (is_control(*at))
			return LINE_CONTROL;
	}
	space = target < end ? memchr(target, ' ', (size_t)(end - target)) : NULL;
	if (target == bytes + 1 || !space || space == target || target[-1] != ' ' ||
		memchr(target, '\t', (size_t)(space - target)))
		return LINE_FORM;
	return LINE_VERSION;
}

/* All bytes above the space but DEL; most targets are ASCII to their end. */
static size_t target_length(const char *target, size_t length, bool *is_ascii)
{
	size_t taken = 0;

	while (taken < length && target[taken] > ' ' && target[taken] < 0x7f)
		taken++;
	*is_ascii = taken == length || (unsigned char)target[taken] < 0x80;
	while (taken < length && (unsigned char)target[taken] > ' ' && target[taken] != 0x7f)
		taken++;
	return taken;
}

/* What stands behind the target. */
static bool read_version(const char *at, size_t left, int *minor)
{
	if (left < VERSION_LENGTH || memcmp(at, " HTTP/1.", 8) != 0 || at[8] < '0' || at[8] > '9' ||
		at[9] != '\r' || at[10] != '\n')
		return false;
	*minor = at[8] - '0';
	return true;
}

enum request_line_fault request_line_read(const char *bytes, size_t length, struct request_line *out)
{
	size_t method = http_token_length(bytes, length);
	const char *space;

	if (method == 0 || method == length || bytes[method] != ' ')
		return find_fault(bytes, length);
	out->method = method_of(bytes, method);
	out->method_text = bytes;
	out->method_length = method;
	out->target = bytes + method + 1;
	out->target_length = target_length(out->target, length - method - 1, &out->is_ascii);
	space = out->target + out->target_length;
	if (out->target_length == 0 || !read_version(space, (size_t)(bytes + length - space), &out->minor))
		return find_fault(bytes, length);
	out->length = (size_t)(space - bytes) + VERSION_LENGTH;
	return LINE_GOOD;
}

size_t request_line_skip_empty(const char *bytes, size_t length)
{
	size_t at = 0;

	while (length - at >= 2 && bytes[at] == '\r' && bytes[at + 1] == '\n')
		at += 2;
	return at;
}

enum method request_line_method(const char *bytes, size_t length)
{
	size_t method = http_token_length(bytes, length);

	return method < length && bytes[method] == ' ' ? method_of(bytes, method) : METHOD_OTHER;
}
