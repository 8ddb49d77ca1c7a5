/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/registry/reason.h"

#define PROBLEM .content_type = "application/problem+json"

static char url[] = "https://ci:pass-word@hub.example/{path}?{query}";
static const struct upstream upstream = {.url = url};
static char line[] = "Authorization: Bearer t0ken";
static char token[] = "t0ken";
static char header[] = "X-Auth: user=me, key=\"top  s3cret\", session='0123-abcd'";
static char value[] = "user=me, key=\"top  s3cret\", session='0123-abcd'";
static const struct credentials credentials = {{{line, token}, {header, value}}, 2};

static void knows_where_one_may_be_told(void **state)
{
	static const struct {
		struct answer answer;
		bool told;
	} cases[] = {
		{{.status = 504, .length = 100, PROBLEM}, true},
		{{.status = 403, .length = -1, PROBLEM}, true},
		{{.status = 504, .length = 16384, .content_type = "Application/Problem+JSON; charset=utf-8"},
			true},
		{{.status = 504, .length = 16385, PROBLEM}, false},
		{{.status = 200, .length = 100, PROBLEM}, false},
		{{.status = 504, .length = 100, .content_type = "application/problem+jsonish"}, false},
		{{.status = 504, .length = 100, .content_type = "application/json"}, false},
		{{.status = 504, .length = 100, .content_type = "text/html"}, false},
		{{.status = 504, .length = 100, PROBLEM, .content_encoding = "gzip"}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(reason_is_told(&cases[i].answer), cases[i].told);
}

/* The sentence that comes of a body, taken in two pieces. */
static struct err hear(const char *body, size_t length)
{
	struct err err = {.code = ERR_UPSTREAM_FAILED, .retry_after_s = 7, .text = "it answered 504"};
	struct reason reason = {0};

	if (reason_add(&reason, body, length / 2))
		(void)reason_add(&reason, body + length / 2, length - length / 2);
	reason_append(&reason, &upstream, &credentials, &err);
	reason_finish(&reason);
	assert_int_equal(err.code, ERR_UPSTREAM_FAILED);
	assert_int_equal(err.retry_after_s, 7);
	return err;
}

static void tells_it_as_the_words_of_another(void **state)
{
	static const struct {
		const char *body;
		const char *said; /* NULL: nothing */
	} cases[] = {
		{"{\"detail\": \"its disk is full\", \"status\": 504}", "its disk is full"},
		{"{\"detail\": \"Pl\\u00e4tze \\u2026 \\ud83d\\ude00\"}", "Plätze … 😀"},
		/* One line that cannot reach beyond its marks, nor turn what stands beside it. */
		{"{\"detail\": \" a\\r\\n\\tb\\u001b[2J\\u0085\\u2028c\\u202ed\\u200b \"}", "a b [2J c d"},
		{"{\"detail\": \"no\\\", and we say \\\"yes\"}", "no', and we say 'yes"},
		{"{\"detail\": \"<script>alert(1)</script> %s%n\"}", "<script>alert(1)</script> %s%n"},
		/* Nothing that could be told. */
		{"{\"detail\": \" \\n \"}", NULL},
		{"{\"detail\": \"\"}", NULL},
		{"{\"detail\": 7}", NULL},
		{"{\"detail\": {\"detail\": \"x\"}}", NULL},
		{"{\"title\": \"x\"}", NULL},
		{"[\"detail\"]", NULL},
		{"{\"detail\": \"x\"", NULL},
		{"{\"detail\": \"a\\u0000b\"}", NULL},
		{"{\"detail\": \"\xff\xfe\"}", NULL},
		{"{\"detail\": \"\\ud800\"}", NULL},
		{"", NULL},
		/* What is ours to keep. */
		{"{\"detail\": \"GET https://ci:pass-word@hub.example/x/1\"}", NULL},
		{"{\"detail\": \"Bearer t0ken is not known\"}", NULL},
		{"{\"detail\": \"key=\\\"top  s3cret\\\", session='0123-abcd'\"}", NULL},
		{"{\"detail\": \"user=me, key=\\\"top  s3cret\\\", session='0123-abcd'\"}", NULL},
		{"{\"detail\": \"no session 0123-abcd\"}", NULL},
		{"{\"detail\": \"no session for user me\"}", "no session for user me"},
		{"{\"detail\": \"Authorization: Basic Y2k6cGFzcy13b3Jk\"}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = hear(cases[i].body, strlen(cases[i].body));
		AUTO_FREE char *wanted = cases[i].said
						 ? mem_printf("it answered 504, saying \"%s\"", cases[i].said)
						 : mem_printf("it answered 504");

		assert_string_equal(err.text, wanted);
	}
}

/* A detail of so many times this text. */
static char *detail_of(const char *text, size_t count)
{
	struct buffer body = {0};

	buffer_add_string(&body, "{\"detail\":\"");
	for (size_t i = 0; i < count; i++)
		buffer_add_string(&body, text);
	buffer_add_string(&body, "\"}");
	return buffer_take(&body);
}

static void tells_no_more_than_its_share(void **state)
{
	static const char around[] = "it answered 504, saying \"\"";
	/* At each place of a character of two bytes. */
	AUTO_FREE char *even = detail_of("\xc3\xa4", 1000);
	AUTO_FREE char *odd = detail_of("\xc3\xa4", 1000);
	AUTO_FREE char *fits = detail_of("x", REASON_TOLD_MAX);
	struct err err;

	(void)state;
	err = hear(even, strlen(even));
	assert_in_range(strlen(err.text) - strlen(around), REASON_TOLD_MAX - 4, REASON_TOLD_MAX);
	assert_non_null(strstr(err.text, "\xc3\xa4…\""));
	odd[strlen("{\"detail\":\"")] = 'x';
	odd[strlen("{\"detail\":\"") + 1] = 'x';
	err = hear(odd, strlen(odd));
	assert_non_null(strstr(err.text, "\xc3\xa4…\""));
	err = hear(fits, strlen(fits));
	assert_int_equal(strlen(err.text) - strlen(around), REASON_TOLD_MAX);
	assert_null(strstr(err.text, "…"));
}

static void gives_up_on_what_is_long_or_intricate(void **state)
{
	AUTO_FREE char *longest = detail_of("x", REASON_BODY_MAX - strlen("{\"detail\":\"\"}"));
	AUTO_FREE char *longer = detail_of("x", REASON_BODY_MAX + 1 - strlen("{\"detail\":\"\"}"));
	AUTO_FREE char *nested = mem_zero(REASON_BODY_MAX, 1);
	struct reason reason = {0};

	(void)state;
	assert_true(reason_add(&reason, longest, strlen(longest)));
	assert_false(reason_add(&reason, "}", 1));
	reason_finish(&reason);
	assert_non_null(strstr(hear(longest, strlen(longest)).text, "saying"));
	assert_string_equal(hear(longer, strlen(longer)).text, "it answered 504");
	memset(nested, '[', REASON_BODY_MAX);
	assert_string_equal(hear(nested, REASON_BODY_MAX).text, "it answered 504");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_where_one_may_be_told),
		cmocka_unit_test(tells_it_as_the_words_of_another),
		cmocka_unit_test(tells_no_more_than_its_share),
		cmocka_unit_test(gives_up_on_what_is_long_or_intricate),
	};

	return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
