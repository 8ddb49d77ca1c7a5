/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/http/fast/wirefields.h"
#include "server/http/fast/wirehead.h"

static size_t end_of(const char *text)
{
	return wire_head_end(text, strlen(text), 0);
}

static void finds_the_end(void **state)
{
	static const char *const whole[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "a\n\n", "a\n\r\n"};
	static const char *const parts[] = {
		"", "\r\n", "\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r", "a\n", "a\r\r"};

	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
		AUTO_BUFFER struct buffer more = {0};

		assert_int_equal(end_of(whole[i]), strlen(whole[i]));
		buffer_printf(&more, "%sGET /", whole[i]);
		assert_int_equal(end_of(more.data), strlen(whole[i]));
	}
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		assert_int_equal(end_of(parts[i]), 0);
}

/* However it is cut: what was searched before need not be again. */
static void finds_the_end_in_pieces(void **state)
{
	static const char text[] = "\r\nPUT /a HTTP/1.1\r\nHost: x\r\nX: y\r\n\r\n";
	size_t length = sizeof text - 1;

	for (size_t step = 1; step <= length; step++) {
		size_t searched = 0;
		size_t end = 0;

		for (size_t there = step; !end; there += step) {
			there = there < length ? there : length;
			end = wire_head_end(text, there, searched);
			searched = there;
			assert_true(end || there < length);
		}
		assert_int_equal(end, length);
	}
}

static void reads_what_it_takes(void **state)
{
	static const struct {
		const char *head;
		int64_t body;
		bool stays;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, true},
		{"\r\nGET /\xc3\xa4?b=c HTTP/1.1\r\nHOST:x\r\nConnection: Keep-Alive\r\n\r\n", 0, true},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 0, false},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n\r\n", 0, false},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", 0,
			false},
		{"GET / HTTP/1.0\r\n\r\n", 0, false},
		{"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: \t0012 \r\n\r\n", 12, true},
		{"PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: "
		 "9223372036854775807\r\n\r\n",
			INT64_MAX, true},
		{"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n", -1, true},
		{"BREW /a HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-Tab: a\tb\r\n\r\n", 0, true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t length = strlen(cases[i].head);
		struct wire_head head;
		struct err err;

		if (!wire_head_read(cases[i].head, length, &head, &err))
			fail_msg("%s: %s", cases[i].head, err.text);
		assert_int_equal(head.length, length);
		assert_int_equal(head.body, cases[i].body);
		assert_int_equal(head.stays, cases[i].stays);
		assert_true(head.memory >= length);
	}
}

static void assert_refused(const char *bytes, size_t length, enum err_code code)
{
	struct wire_head head;
	struct err err;

	if (wire_head_read(bytes, length, &head, &err))
		fail_msg("taken: %s", bytes);
	assert_int_equal(err.code, code);
	assert_true(strlen(err.text) > 0);
}

/* Each byte that has no place in a head, at each place of it. */
static void refuses_each_control_character_everywhere(void **state)
{
	static const char good[] = "GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Name: a value\r\n\r\n";
	static const char bad[] = {0, 1, '\n', 0x0b, '\r', 0x1f, 0x7f};

	for (size_t at = 0; at + 4 < sizeof good; at++) {
		for (size_t i = 0; i < sizeof bad; i++) {
			char head[sizeof good];

			memcpy(head, good, sizeof good);
			if (head[at] == bad[i] || (bad[i] == '\r' && head[at + 1] == '\n'))
				continue;
			head[at] = bad[i];
			assert_refused(head, sizeof good - 1, ERR_BAD_REQUEST);
		}
	}
}

static void refuses_bodies_without_a_number(void **state)
{
	static const struct {
		const char *length;
		enum err_code code;
	} cases[] = {{"9223372036854775808", ERR_TOO_LARGE},
		{"99999999999999999999999999999999999999999999999999999999999999999999999999", ERR_TOO_LARGE},
		{"-0", ERR_BAD_REQUEST}, {"", ERR_BAD_REQUEST}, {"1 2", ERR_BAD_REQUEST},
		{"1,1", ERR_BAD_REQUEST}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_BUFFER struct buffer head = {0};

		buffer_printf(
			&head, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n", cases[i].length);
		assert_refused(head.data, head.length, cases[i].code);
	}
}

static void refuses_sizes(void **state)
{
	for (size_t length = WIRE_HEAD_MAX - 1; length <= WIRE_HEAD_MAX + 1; length++) {
		AUTO_BUFFER struct buffer head = {0};
		struct wire_head out;
		struct err err;

		buffer_add_string(&head, "GET / HTTP/1.1\r\nHost: x\r\nCookie: ");
		while (head.length < length - 4)
			buffer_add_string(&head, "c");
		buffer_add_string(&head, "\r\n\r\n");
		if (length <= WIRE_HEAD_MAX)
			assert_true(wire_head_read(head.data, head.length, &out, &err));
		else
			assert_refused(head.data, head.length, ERR_HEAD_TOO_LARGE);
		assert_int_equal(wire_head_may_end(head.data, length, &err), length <= WIRE_HEAD_MAX);
	}
}

static void reads_those_behind_each_other(void **state)
{
	static const char one[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
	static const char with_body[] = "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
	static const struct {
		const char *rest;
		unsigned count;
		enum err_code spoilt;
	} cases[] = {
		{"", 2, ERR_NONE},
		{"GET /b HT", 2, ERR_NONE},
		{"GET /b HTTP/1.1\r\nHost: x\r\n\r\n", 3, ERR_NONE},
		{"GET /b HTTP/1.1\nHost: x\r\n\r\n", 2, ERR_BAD_REQUEST},
		{"\x16\x03", 2, ERR_BAD_REQUEST},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_BUFFER struct buffer bytes = {0};
		struct wire_head first;
		struct wire_heads all;
		struct err err;

		buffer_printf(&bytes, "%s%s%s", with_body, one, cases[i].rest);
		assert_true(
			wire_head_read(bytes.data, wire_head_end(bytes.data, bytes.length, 0), &first, &err));
		wire_heads_read(bytes.data, bytes.length, &first, &all);
		assert_int_equal(all.count, cases[i].count);
		assert_int_equal(all.spoilt, cases[i].spoilt);
		assert_true(all.stays);
		if (all.count == 2)
			assert_int_equal(all.bytes, strlen(with_body) + strlen(one));
	}
}

/* ---- its fields, once it was found good ---- */

static void gives_the_first_and_the_last_of_a_name(void **state)
{
	static const struct {
		const char *lines;
		const char *first;
		const char *last;
	} cases[] = {
		{"", NULL, NULL},
		{"X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1", "192.0.2.1"},
		/* What the client says of himself, and what the proxy in front has added. */
		{"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n", "192.0.2.1", "192.0.2.2"},
		{"x-forwarded-for:\t a \r\nVia: x\r\nX-FORWARDED-FOR:b, c\r\nX-Forwarded-For: \r\n", "a", ""},
		{"X-Forwarded-For:\r\nA: X-Forwarded-For\r\nX-Forwarded-For: : \r\nX-Forwarded-Fo: n\r\n", "",
			":"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *head =
			mem_printf("\r\nGET /a?b HTTP/1.1\r\nHost: x\r\n%s\r\n", cases[i].lines);
		struct wire_head read;
		struct wire_fields fields;
		struct err err;

		assert_true(wire_head_read(head, strlen(head), &read, &err));
		wire_fields_read(head, read.length, &fields);
		assert_int_equal(fields.method, METHOD_GET);
		assert_string_equal(fields.target, "/a?b");
		assert_false(fields.is_1_0);
		assert_string_equal(wire_fields_find(&fields, "host"), "x");
		for (int last = 0; last < 2; last++) {
			const char *wanted = last ? cases[i].last : cases[i].first;
			const char *found =
				(last ? wire_fields_find_last : wire_fields_find)(&fields, "X-Forwarded-For");

			assert_int_equal(!found, !wanted);
			if (found)
				assert_string_equal(found, wanted);
		}
		wire_fields_finish(&fields);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_end),
		cmocka_unit_test(finds_the_end_in_pieces),
		cmocka_unit_test(reads_what_it_takes),
		cmocka_unit_test(refuses_each_control_character_everywhere),
		cmocka_unit_test(refuses_bodies_without_a_number),
		cmocka_unit_test(refuses_sizes),
		cmocka_unit_test(reads_those_behind_each_other),
		cmocka_unit_test(gives_the_first_and_the_last_of_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
