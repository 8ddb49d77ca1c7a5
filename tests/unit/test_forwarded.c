/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "server/http/forwarded.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char trusted[] = "10.0.0.0/8 127.0.0.1 fd00::/8";

static void reads_what_proxies_write(void **state)
{
	static const struct {
		enum forwarded_kind kind;
		const char *value, *client, *scheme, *host;
	} cases[] = {
		{FORWARDED_X, NULL, "", "", ""},
		{FORWARDED_X, "", "", "", ""},
		{FORWARDED_X, "192.0.2.1", "192.0.2.1", "", ""},
		{FORWARDED_X, " 192.0.2.1:4711\t", "192.0.2.1", "", ""},
		{FORWARDED_X, "[2001:db8::1]:80", "2001:db8::1", "", ""},
		{FORWARDED_X, "2001:db8::1", "2001:db8::1", "", ""},
		/* What stands before the first that nobody trusts is that one's word. */
		{FORWARDED_X, "8.8.8.8, 192.0.2.1", "192.0.2.1", "", ""},
		{FORWARDED_X, "8.8.8.8,192.0.2.1,10.1.1.1,10.2.2.2", "192.0.2.1", "", ""},
		{FORWARDED_X, "8.8.8.8, unknown, 10.1.1.1", "", "", ""},
		{FORWARDED_X, "8.8.8.8,", "", "", ""},
		{FORWARDED_X, "8.8.8.8, \"", "", "", ""},
		/* What a stranger leaves open takes nothing with it. */
		{FORWARDED_X, "\", 192.0.2.1", "192.0.2.1", "", ""},
		{FORWARDED_X, "\"8.8.8.8\\, 192.0.2.1, 10.1.1.1", "192.0.2.1", "", ""},
		{FORWARDED_RFC7239, "for=\", for=192.0.2.1;proto=https", "192.0.2.1", "https", ""},
		{FORWARDED_RFC7239, "for=\"\\, for=\"[2001:db8::1]:4711\", for=\"10.1.1.1:80\"",
			"2001:db8::1", "", ""},
		/* All are the site's own. */
		{FORWARDED_X, "10.3.3.3, 10.1.1.1", "10.3.3.3", "", ""},
		{FORWARDED_X, "::ffff:10.3.3.3", "::ffff:10.3.3.3", "", ""},
		{FORWARDED_RFC7239, "for=192.0.2.1", "192.0.2.1", "", ""},
		{FORWARDED_RFC7239,
			"For=\"[2001:db8::1]:4711\"; PROTO=https ;by=10.0.0.1;host=\"a.example:8443\"",
			"2001:db8::1", "https", "a.example:8443"},
		{FORWARDED_RFC7239,
			"for=8.8.8.8;proto=https;host=evil, for=192.0.2.1;proto=http;host=good, for=10.1.1.1",
			"192.0.2.1", "http", "good"},
		{FORWARDED_RFC7239, "for=\"8.8.8.8, 9.9.9.9\", for=192.0.2.1", "192.0.2.1", "", ""},
		{FORWARDED_RFC7239, "for=\"8.8.8.8\\\", for=9.9.9.9\", for=192.0.2.1", "192.0.2.1", "", ""},
		{FORWARDED_RFC7239, "for=192.0.2.1, for=\"", "", "", ""},
		{FORWARDED_RFC7239, "for=_hidden;proto=gopher;host=\"a b\"", "", "", ""},
		{FORWARDED_RFC7239, "for", "", "", ""},
		{FORWARDED_RFC7239, ";;=;,", "", "", ""},
	};
	struct forwarded told;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("%s\n", cases[i].value ? cases[i].value : "nothing");
		forwarded_read(cases[i].value, cases[i].kind, trusted, &told);
		assert_string_equal(told.client, cases[i].client);
		assert_string_equal(told.scheme, cases[i].scheme);
		assert_string_equal(told.host, cases[i].host);
	}
}

/* Any number of the site's own proxies behind a client, and any number of inventions before it, of which some
 * are quotes that are left open, in both forms. */
static void finds_the_client_in_any_chain(void **state)
{
	static const char *const forms[] = {"%s%s", "%sfor=%s"};
	static const char *const invented[] = {
		"203.0.113.9,", "10.9.9.9,", "\",", "\"\\,", "\";for=10.9.9.9,"};

	(void)state;
	for (unsigned i = 0; i < 2 * 40 * 31; i++) {
		enum forwarded_kind kind = i % 2;
		unsigned inventions = i / 2 % 40;
		unsigned own = i / 80;
		AUTO_BUFFER struct buffer list = {0};
		struct forwarded told;

		for (unsigned k = 0; k < inventions; k++)
			buffer_printf(&list, forms[kind], "", invented[(k + own) % COUNT(invented)]);
		buffer_printf(&list, forms[kind], "", "192.0.2.77");
		for (unsigned k = 0; k < own; k++)
			buffer_printf(&list, forms[kind], " , ", k % 2 ? "127.0.0.1" : "10.4.5.6:1234");
		forwarded_read(buffer_string(&list), kind, trusted, &told);
		assert_string_equal(told.client, "192.0.2.77");
	}
}

static void reads_the_last_of_each(void **state)
{
	struct forwarded told = {.client = ""};

	(void)state;
	forwarded_add_x("http, HTTPS ", "evil, good.example ", &told);
	assert_string_equal(told.scheme, "https");
	assert_string_equal(told.host, "good.example");
	told = (struct forwarded){.client = ""};
	forwarded_add_x("ftp", "a b", &told);
	assert_string_equal(told.scheme, "");
	assert_string_equal(told.host, "");
	forwarded_add_x(NULL, NULL, &told);
	assert_string_equal(told.host, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_proxies_write),
		cmocka_unit_test(finds_the_client_in_any_chain),
		cmocka_unit_test(reads_the_last_of_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
