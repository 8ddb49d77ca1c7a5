/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "server/http/reply.h"

static const char *header(const struct reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++) {
		if (strcmp(reply->headers[i].name, name) == 0)
			return reply->headers[i].value;
	}
	return NULL;
}

static void test_headers_cannot_be_split(void **state)
{
	struct reply reply;

	reply_init(&reply);
	reply_header(&reply, "Location", "/a\r\nX: y");
	reply_header_printf(&reply, "X-Two", "%s", "a\nb");
	reply_header(&reply, "X-Three", "a\tb …");
	assert_int_equal(reply.header_count, 1);
	for (int i = 0; i < 2 * REPLY_HEADERS_MAX; i++)
		reply_header(&reply, "X-Many", "x");
	assert_int_equal(reply.header_count, REPLY_HEADERS_MAX);
	reply_finish(&reply);
}

static void test_a_later_body_replaces_an_earlier_one(void **state)
{
	struct reply reply;

	reply_init(&reply);
	reply_text(&reply, 200, "text/plain", "one");
	reply_json(&reply, 201, json_pack("{s:i}", "a", 1));
	assert_int_equal(reply.status, 201);
	assert_int_equal(reply.header_count, 1);
	assert_string_equal(header(&reply, "Content-Type"), "application/json");
	reply_empty(&reply, 204);
	assert_int_equal(reply.header_count, 0);
	assert_null(reply.bytes);
	reply_finish(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers_cannot_be_split),
		cmocka_unit_test(test_a_later_body_replaces_an_earlier_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
