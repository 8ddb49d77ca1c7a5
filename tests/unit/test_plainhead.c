/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/http/fast/plainhead.h"

static void reads_plain_heads(void **state)
{
	static const struct {
		const char *head;
		enum method method;
		const char *target;
		size_t conditions;
	} cases[] = {
		{"GET /a/1 HTTP/1.1\r\nHost: x\r\n\r\n", METHOD_GET, "/a/1", 0},
		{"HEAD /a/1?b=c HTTP/1.1\r\nhost:x\r\n\r\n", METHOD_HEAD, "/a/1?b=c", 0},
		{"GET /a HTTP/1.1\r\nAccept: */*\r\nHost: \tx:1 \r\nUser-Agent:\r\n\r\n", METHOD_GET, "/a",
			0},
		{"GET /a HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive\r\n\r\n", METHOD_GET, "/a", 0},
		{"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", METHOD_GET, "/a", 0},
		{"GET /a HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\nIF-RANGE: \"e\"\r\n\r\n", METHOD_GET,
			"/a", 2},
		{"GET /a HTTP/1.1\r\nHost: x\r\nX-Name: \xc3\xa4\r\n\r\nGET /b HTTP/1.1\r\n", METHOD_GET,
			"/a", 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *bytes = mem_dup(cases[i].head);
		struct plain_head head;

		if (!plain_head_read(bytes, strlen(bytes), &head))
			fail_msg("%s is plain", cases[i].head);
		assert_int_equal(head.method, cases[i].method);
		assert_string_equal(head.target, cases[i].target);
		assert_int_equal(head.condition_count, cases[i].conditions);
		assert_int_equal(head.closes, strstr(cases[i].head, ": close") != NULL);
		assert_int_equal(head.length, strstr(cases[i].head, "\r\n\r\n") + 4 - cases[i].head);
	}
}

static void finds_conditions(void **state)
{
	char bytes[] =
		"GET /a HTTP/1.1\r\nrange:  bytes=5-6 \r\nHost: x\r\nIf-None-Match: \"a\", \"b\"\r\n\r\n";
	struct plain_head head;

	assert_true(plain_head_read(bytes, sizeof bytes - 1, &head));
	assert_string_equal(plain_head_find(&head, "Range"), "bytes=5-6");
	assert_string_equal(plain_head_find(&head, "If-None-Match"), "\"a\", \"b\"");
	assert_null(plain_head_find(&head, "If-Range"));
	assert_null(plain_head_find(&head, "Host"));
}

static void leaves_all_others(void **state)
{
	static const char *const cases[] = {
		"PUT /a HTTP/1.1\r\nHost: x\r\n\r\n",
		"get /a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a HTTP/1.0\r\nHost: x\r\n\r\n",
		"GET  /a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a  HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a HTTP/1.1 \r\nHost: x\r\n\r\n",
		"GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
		"\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a HTTP/1.1\nHost: x\n\n",
		"GET /a HTTP/1.1\r\nHost: x\r\n\n",
		"GET /a HTTP/1.1\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost:\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost : x\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nX: a\nb\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nX: a\x01\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, upgrade\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nauthorization: Bearer t\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nIf-Something: 1\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *bytes = mem_dup(cases[i]);
		struct plain_head head;

		if (plain_head_read(bytes, strlen(cases[i]), &head))
			fail_msg("%s is not plain", cases[i]);
	}
}

/* Each beginning of a plain head, in memory that ends there, and one with a NUL in each place. */
static void leaves_what_is_cut_or_has_a_nul(void **state)
{
	static const char whole[] = "GET /a/1?b HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\nX-Y: z\r\n\r\n";
	size_t length = sizeof whole - 1;
	struct plain_head head;

	for (size_t i = 0; i < length; i++) {
		AUTO_FREE char *cut = mem_resize(NULL, i ? i : 1, 1);
		AUTO_FREE char *pierced = mem_dup(whole);

		memcpy(cut, whole, i);
		assert_false(plain_head_read(cut, i, &head));
		pierced[i] = '\0';
		assert_false(plain_head_read(pierced, length, &head));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_plain_heads),
		cmocka_unit_test(finds_conditions),
		cmocka_unit_test(leaves_all_others),
		cmocka_unit_test(leaves_what_is_cut_or_has_a_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
