/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include "server/http/conditions.h"

enum { SIZE = 1000, MODIFIED_S = 784111777 };

#define ETAG "\"sha256:ab\""
#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

struct row {
	const char *headers[7]; /* name, value, … NULL */
	enum condition condition;
	int64_t first;
	int64_t length;
};

static const char *find_header(const void *headers, const char *name)
{
	for (const char *const *pair = headers; *pair; pair += 2) {
		if (strcasecmp(pair[0], name) == 0)
			return pair[1];
	}
	return NULL;
}

static void check(enum method method, const struct row *row, int64_t size)
{
	const struct request request = {
		.method = method, .find_header = find_header, .headers = row->headers};
	struct selection got = conditions_evaluate(&request, ETAG, MODIFIED_S, size);

	if (got.condition != row->condition)
		fail_msg("%s: %s: %d, not %d", row->headers[0], row->headers[1], got.condition,
			row->condition);
	if (got.condition > CONDITION_PART)
		return;
	if (got.first != row->first || got.length != row->length)
		fail_msg("%s: %s: %d+%d", row->headers[0], row->headers[1], (int)got.first, (int)got.length);
}

static void test_ranges(void **state)
{
	static const struct row rows[] = {
		{{NULL}, CONDITION_WHOLE, 0, SIZE},
		{{"Range", "bytes=0-0"}, CONDITION_PART, 0, 1},
		{{"Range", "bytes=0-99"}, CONDITION_PART, 0, 100},
		{{"Range", "Bytes= 10-19 "}, CONDITION_PART, 10, 10},
		{{"Range", "bytes=900-"}, CONDITION_PART, 900, 100},
		{{"Range", "bytes=999-"}, CONDITION_PART, 999, 1},
		{{"Range", "bytes=0-99999999999999999999999"}, CONDITION_PART, 0, SIZE},
		{{"Range", "bytes=-1"}, CONDITION_PART, 999, 1},
		{{"Range", "bytes=-1000"}, CONDITION_PART, 0, SIZE},
		{{"Range", "bytes=-99999999999999999999999"}, CONDITION_PART, 0, SIZE},
		{{"Range", "bytes=-0"}, CONDITION_NOT_SATISFIABLE},
		{{"Range", "bytes=1000-"}, CONDITION_NOT_SATISFIABLE},
		{{"Range", "bytes=1000-2000"}, CONDITION_NOT_SATISFIABLE},
		{{"Range", "bytes=99999999999999999999999-"}, CONDITION_NOT_SATISFIABLE},
		{{"Range", "bytes=0-1,5-6"}, CONDITION_WHOLE, 0, SIZE},
		{{"Range", "bytes=5-2"}, CONDITION_WHOLE, 0, SIZE},
		{{"Range", "bytes=-"}, CONDITION_WHOLE, 0, SIZE},
		{{"Range", "bytes="}, CONDITION_WHOLE, 0, SIZE},
		{{"Range", "bytes=a-b"}, CONDITION_WHOLE, 0, SIZE},
		{{"Range", "bytes=+1-2"}, CONDITION_WHOLE, 0, SIZE},
		{{"Range", "bytes=1--2"}, CONDITION_WHOLE, 0, SIZE},
		{{"Range", "lines=0-1"}, CONDITION_WHOLE, 0, SIZE},
		{{"Range", "0-1"}, CONDITION_WHOLE, 0, SIZE},
	};
	static const struct row suffix_of_nothing = {{"Range", "bytes=-5"}, CONDITION_WHOLE, 0, 0};
	static const struct row first_of_nothing = {{"Range", "bytes=0-"}, CONDITION_NOT_SATISFIABLE};
	static const struct row head = {{"Range", "bytes=0-1"}, CONDITION_WHOLE, 0, SIZE};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(METHOD_GET, &rows[i], SIZE);
	check(METHOD_GET, &suffix_of_nothing, 0);
	check(METHOD_GET, &first_of_nothing, 0);
	/* Range is defined for GET alone. */
	check(METHOD_HEAD, &head, SIZE);
}

static void test_if_range(void **state)
{
	static const struct row rows[] = {
		{{"If-Range", ETAG, "Range", "bytes=0-9"}, CONDITION_PART, 0, 10},
		{{"If-Range", MODIFIED, "Range", "bytes=0-9"}, CONDITION_PART, 0, 10},
		{{"If-Range", "\"other\"", "Range", "bytes=0-9"}, CONDITION_WHOLE, 0, SIZE},
		{{"If-Range", "W/" ETAG, "Range", "bytes=0-9"}, CONDITION_WHOLE, 0, SIZE},
		{{"If-Range", AFTER, "Range", "bytes=0-9"}, CONDITION_WHOLE, 0, SIZE},
		{{"If-Range", "yesterday", "Range", "bytes=0-9"}, CONDITION_WHOLE, 0, SIZE},
		{{"If-Range", "\"other\"", "Range", "bytes=1000-"}, CONDITION_WHOLE, 0, SIZE},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(METHOD_GET, &rows[i], SIZE);
}

static void test_preconditions(void **state)
{
	static const struct row rows[] = {
		{{"If-None-Match", ETAG}, CONDITION_NOT_MODIFIED},
		{{"If-None-Match", "W/" ETAG}, CONDITION_NOT_MODIFIED},
		{{"If-None-Match", "\"a,b\", W/\"c\" ," ETAG}, CONDITION_NOT_MODIFIED},
		{{"If-None-Match", "*"}, CONDITION_NOT_MODIFIED},
		{{"If-None-Match", "\"other\""}, CONDITION_WHOLE, 0, SIZE},
		{{"If-None-Match", "sha256:ab"}, CONDITION_WHOLE, 0, SIZE},
		{{"If-None-Match", "\"unclosed"}, CONDITION_WHOLE, 0, SIZE},
		{{"If-None-Match", "\"other\"", "If-Modified-Since", AFTER}, CONDITION_WHOLE, 0, SIZE},
		{{"If-None-Match", ETAG, "Range", "bytes=0-9"}, CONDITION_NOT_MODIFIED},
		{{"If-Modified-Since", MODIFIED}, CONDITION_NOT_MODIFIED},
		{{"If-Modified-Since", AFTER}, CONDITION_NOT_MODIFIED},
		{{"If-Modified-Since", BEFORE}, CONDITION_WHOLE, 0, SIZE},
		{{"If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT"}, CONDITION_NOT_MODIFIED},
		{{"If-Modified-Since", "never"}, CONDITION_WHOLE, 0, SIZE},
		{{"If-Match", ETAG}, CONDITION_WHOLE, 0, SIZE},
		{{"If-Match", "*"}, CONDITION_WHOLE, 0, SIZE},
		{{"If-Match", "W/" ETAG}, CONDITION_FAILED},
		{{"If-Match", "\"other\""}, CONDITION_FAILED},
		{{"If-Match", "\"other\"", "If-None-Match", ETAG}, CONDITION_FAILED},
		{{"If-Match", ETAG, "If-Unmodified-Since", BEFORE}, CONDITION_WHOLE, 0, SIZE},
		{{"If-Unmodified-Since", BEFORE}, CONDITION_FAILED},
		{{"If-Unmodified-Since", MODIFIED}, CONDITION_WHOLE, 0, SIZE},
		{{"If-Unmodified-Since", "never"}, CONDITION_WHOLE, 0, SIZE},
	};
	static const struct row put_over_existing = {{"If-None-Match", "*"}, CONDITION_FAILED};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(METHOD_GET, &rows[i], SIZE);
	check(METHOD_PUT, &put_over_existing, SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_if_range),
		cmocka_unit_test(test_preconditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
