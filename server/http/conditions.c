/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/conditions.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"

int condition_status(enum condition condition)
{
	static const int statuses[] = {
		[CONDITION_WHOLE] = 200,
		[CONDITION_PART] = 206,
		[CONDITION_NOT_MODIFIED] = 304,
		[CONDITION_FAILED] = 412,
		[CONDITION_NOT_SATISFIABLE] = 416,
	};

	return statuses[condition];
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/* Blanks at the end of a value are not part of it, and libmicrohttpd leaves them there. */
static bool is_over(const char *text)
{
	return !*skip_blanks(text);
}

/* Whether a list of entity tags (RFC 9110 8.8.3), or "*", has this strong one. A weak tag counts where weak
 * is allowed. */
static bool has_etag(const char *list, const char *etag, bool weak_allowed)
{
	size_t length = strlen(etag);

	list = skip_blanks(list);
	if (*list == '*' && is_over(list + 1))
		return true;
	for (const char *at = list + strspn(list, " \t,"); *at; at += strspn(at, " \t,")) {
		bool weak = strncmp(at, "W/", 2) == 0;
		const char *end;

		at += weak ? 2 : 0;
		end = *at == '"' ? strchr(at + 1, '"') : NULL;
		if (!end)
			return false;
		if ((!weak || weak_allowed) && (size_t)(end + 1 - at) == length &&
			strncmp(at, etag, length) == 0)
			return true;
		at = end + 1;
	}
	return false;
}

/* Reads a header that holds a date; false if it is missing or malformed, which counts as missing. */
static bool find_date(const struct request *request, const char *name, int64_t *out_s)
{
	const char *value = request_header(request, name);

	return value && clock_parse_http(value, out_s);
}

static bool is_read(const struct request *request)
{
	return request->method == METHOD_GET || request->method == METHOD_HEAD;
}

static bool precondition_failed(const struct request *request, const char *etag, int64_t last_modified_s)
{
	const char *match = request_header(request, "If-Match");
	int64_t date_s;

	if (match)
		return !has_etag(match, etag, false);
	return find_date(request, "If-Unmodified-Since", &date_s) && last_modified_s > date_s;
}

/* Whether the client already has what it asks for. */
static bool client_has_it(const struct request *request, const char *etag, int64_t last_modified_s)
{
	const char *none_match = request_header(request, "If-None-Match");
	int64_t date_s;

	if (none_match)
		return has_etag(none_match, etag, true);
	return is_read(request) && find_date(request, "If-Modified-Since", &date_s) &&
	       last_modified_s <= date_s;
}

bool conditions_client_has(const struct request *request, const char *etag)
{
	const char *none_match = request_header(request, "If-None-Match");

	return is_read(request) && none_match && has_etag(none_match, etag, true);
}

/* If-Range holds: the part that is asked for belongs to this very representation. */
static bool range_applies(const struct request *request, const char *etag, int64_t last_modified_s)
{
	const char *value = request_header(request, "If-Range");
	size_t length = strlen(etag);
	int64_t date_s;

	if (!value)
		return true;
	value = skip_blanks(value);
	if (*value == '"' || strncmp(value, "W/", 2) == 0)
		return strncmp(value, etag, length) == 0 && is_over(value + length);
	return clock_parse_http(value, &date_s) && date_s == last_modified_s;
}

/* Reads digits and steps over them; a number too large to hold is as good as the largest. False if there are
 * none. */
static bool read_number(const char **text, int64_t *out)
{
	int64_t number = 0;

	if (!isdigit((unsigned char)**text))
		return false;
	for (; isdigit((unsigned char)**text); (*text)++) {
		int digit = **text - '0';

		number = number > (INT64_MAX - digit) / 10 ? INT64_MAX : number * 10 + digit;
	}
	*out = number;
	return true;
}

static struct selection part(int64_t first, int64_t last, int64_t size)
{
	if (last >= size)
		last = size - 1;
	return (struct selection){CONDITION_PART, first, last - first + 1};
}

static struct selection last_bytes(int64_t count, int64_t size)
{
	if (count == 0)
		return (struct selection){.condition = CONDITION_NOT_SATISFIABLE};
	/* An empty part cannot be written as a Content-Range. */
	if (size == 0)
		return (struct selection){.condition = CONDITION_WHOLE};
	return part(count < size ? size - count : 0, size - 1, size);
}

/* "bytes=first-last" with either missing (-1); false for several ranges, other units and what is malformed.
 */
static bool read_range(const char *range, int64_t *out_first, int64_t *out_last)
{
	int64_t first = -1;
	int64_t last = -1;

	if (strncasecmp(range, "bytes=", 6) != 0)
		return false;
	range = skip_blanks(range + 6);
	(void)read_number(&range, &first);
	if (*range != '-')
		return false;
	range++;
	(void)read_number(&range, &last);
	if (!is_over(range) || (first < 0 && last < 0) || (first >= 0 && last >= 0 && last < first))
		return false;
	*out_first = first;
	*out_last = last;
	return true;
}

static struct selection select_range(const char *range, int64_t size)
{
	const struct selection whole = {CONDITION_WHOLE, 0, size};
	int64_t first;
	int64_t last;

	if (!read_range(range, &first, &last))
		return whole;
	if (first < 0)
		return last_bytes(last, size);
	if (first >= size)
		return (struct selection){.condition = CONDITION_NOT_SATISFIABLE};
	return part(first, last < 0 ? INT64_MAX : last, size);
}

static bool is_conditional(const struct request *request)
{
	static const char *const names[] = {
		"If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (request_header(request, names[i]))
			return true;
	}
	return false;
}

enum foresight conditions_foresee(const struct request *request, int64_t *first, int64_t *last)
{
	const char *range = request->method == METHOD_GET ? request_header(request, "Range") : NULL;

	if (!range || !read_range(range, first, last) || (*first == 0 && *last < 0))
		return FORESIGHT_WHOLE;
	return is_conditional(request) ? FORESIGHT_NONE : FORESIGHT_PART;
}

struct selection conditions_evaluate(
	const struct request *request, const char *etag, int64_t last_modified_s, int64_t size_bytes)
{
	const char *range = request->method == METHOD_GET ? request_header(request, "Range") : NULL;
	struct selection selection = {CONDITION_WHOLE, 0, size_bytes};

	if (precondition_failed(request, etag, last_modified_s))
		return (struct selection){.condition = CONDITION_FAILED};
	if (client_has_it(request, etag, last_modified_s))
		return (struct selection){
			.condition = is_read(request) ? CONDITION_NOT_MODIFIED : CONDITION_FAILED};
	if (range && range_applies(request, etag, last_modified_s))
		selection = select_range(range, size_bytes);
	if (selection.condition == CONDITION_WHOLE)
		selection.length = size_bytes;
	return selection;
}
