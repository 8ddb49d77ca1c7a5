/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "server/registry/verdict.h"

#define DATE "Sat, 21 Nov 2026 01:02:03 GMT"
#define OTHER_DATE "Sun, 22 Nov 2026 01:02:03 GMT"
#define WHOLE .range_first = -1, .range_total = -1, .length = -1
#define PART(first, total) .status = 206, .length = -1, .range_first = (first), .range_total = (total)

static void judges_an_answer(void **state)
{
	static const struct {
		struct answer answer;
		struct object object;
		int64_t offset;
		enum verdict verdict;
	} cases[] = {
		/* A first request. */
		{{.status = 200, WHOLE}, {.length = -1}, 0, VERDICT_TAKE},
		{{.status = 200, WHOLE, .content_type = "application/octet-stream"}, {.length = -1}, 0,
			VERDICT_TAKE},
		{{.status = 200, WHOLE, .content_type = "text/html"}, {.length = -1}, 0, VERDICT_TAKE},
		{{.status = 201, WHOLE}, {.length = -1}, 0, VERDICT_TAKE},
		{{.status = 202, WHOLE}, {.length = -1}, 0, VERDICT_TAKE},
		{{.status = 203, WHOLE}, {.length = -1}, 0, VERDICT_TAKE},
		{{.status = 206, .length = 10, .range_first = 0, .range_last = 9, .range_total = 10},
			{.length = -1}, 0, VERDICT_TAKE},
		{{.status = 404, WHOLE}, {.length = -1}, 0, VERDICT_ABSENT},
		{{.status = 410, WHOLE}, {.length = -1}, 0, VERDICT_ABSENT},
		/* Another one, for what is missing. */
		{{PART(4, 10), .etag = "\"v1\""}, {"\"v1\"", "", 10}, 4, VERDICT_TAKE},
		{{PART(4, -1), .etag = "\"v1\""}, {"\"v1\"", "", 10}, 4, VERDICT_TAKE},
		{{PART(4, 10), .etag = "\"v1\""}, {"\"v1\"", "", -1}, 4, VERDICT_TAKE},
		{{PART(4, 10), .last_modified = DATE}, {"", DATE, 10}, 4, VERDICT_TAKE},
		{{PART(4, 10), .etag = "\"v1\"", .last_modified = OTHER_DATE}, {"\"v1\"", DATE, 10}, 4,
			VERDICT_TAKE},
		/* It is another object by now, or not what was asked for. */
		{{PART(4, 10), .etag = "\"v2\""}, {"\"v1\"", "", 10}, 4, VERDICT_RESTART},
		{{PART(4, 10)}, {"\"v1\"", "", 10}, 4, VERDICT_RESTART},
		{{PART(4, 10), .last_modified = OTHER_DATE}, {"", DATE, 10}, 4, VERDICT_RESTART},
		{{PART(4, 11), .etag = "\"v1\""}, {"\"v1\"", "", 10}, 4, VERDICT_RESTART},
		{{PART(3, 10), .etag = "\"v1\""}, {"\"v1\"", "", 10}, 4, VERDICT_RESTART},
		{{.status = 206, .range_first = 4, .range_total = 10, .length = 3, .etag = "\"v1\""},
			{"\"v1\"", "", 10}, 4, VERDICT_RESTART},
		{{.status = 206, .range_first = 4, .range_total = 10, .length = INT64_MAX, .etag = "\"v1\""},
			{"\"v1\"", "", 10}, 4, VERDICT_RESTART},
		{{.status = 206,
			 .range_first = INT64_MAX,
			 .range_total = -1,
			 .length = INT64_MAX,
			 .etag = "\"v1\""},
			{"\"v1\"", "", INT64_MAX}, INT64_MAX, VERDICT_RESTART},
		{{PART(-1, -1), .etag = "\"v1\""}, {"\"v1\"", "", 10}, 4, VERDICT_RESTART},
		{{.status = 200, WHOLE, .etag = "\"v1\""}, {"\"v1\"", "", 10}, 4, VERDICT_RESTART},
		{{.status = 416, WHOLE}, {"\"v1\"", "", 10}, 4, VERDICT_RESTART},
		{{.status = 404, WHOLE}, {"\"v1\"", "", 10}, 4, VERDICT_ABSENT},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = {0};
		enum verdict verdict =
			verdict_of_answer(&cases[i].answer, &cases[i].object, cases[i].offset, &err);

		if (verdict != cases[i].verdict)
			fail_msg("case %zu (%d): %d, not %d", i, cases[i].answer.status, (int)verdict,
				(int)cases[i].verdict);
		assert_int_equal(err.code, ERR_NONE);
	}
}

static void a_definite_answer_is_one_only_for_the_whole(void **state)
{
	static const int statuses[] = {400, 401, 402, 403, 451};
	const struct object object = {.length = -1};

	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		const struct answer answer = {.status = statuses[i], WHOLE};
		struct err err = {0};

		assert_int_equal(verdict_of_answer(&answer, &object, 0, &err),
			statuses[i] == 403 ? VERDICT_FORBIDDEN : VERDICT_REFUSED);
		assert_int_equal(err.code, ERR_UPSTREAM_FAILED);
		assert_int_equal(verdict_of_answer(&answer, &object, 4, &err), VERDICT_FAILED);
	}
}

static void head_is_judged_less_harshly(void **state)
{
	static const struct {
		struct answer answer;
		enum verdict verdict;
	} cases[] = {
		{{.status = 200, WHOLE}, VERDICT_TAKE},
		{{.status = 200, WHOLE, .content_type = "Text/HTML; charset=utf-8"}, VERDICT_HEADLESS},
		{{.status = 200, WHOLE, .content_type = "application/xhtml+xml"}, VERDICT_HEADLESS},
		{{.status = 400, WHOLE}, VERDICT_HEADLESS},
		{{.status = 403, WHOLE}, VERDICT_HEADLESS},
		{{.status = 405, WHOLE}, VERDICT_HEADLESS},
		{{.status = 501, WHOLE}, VERDICT_HEADLESS},
		{{.status = 404, WHOLE}, VERDICT_ABSENT},
		{{.status = 401, WHOLE}, VERDICT_REFUSED},
		{{.status = 500, WHOLE}, VERDICT_FAILED},
	};
	const struct object object = {.length = -1};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = {0};

		assert_int_equal(verdict_of_head(&cases[i].answer, &object, &err), cases[i].verdict);
	}
}

static void another_status_is_a_failure(void **state)
{
	static const int statuses[] = {100, 204, 205, 302, 304, 405, 416, 429, 500, 502, 503};
	const struct object object = {.length = -1};

	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		const struct answer answer = {.status = statuses[i], WHOLE, .retry_after_s = 17};
		char status[8];
		struct err err = {0};

		assert_int_equal(verdict_of_answer(&answer, &object, 0, &err), VERDICT_FAILED);
		assert_int_equal(err.code, ERR_UPSTREAM_FAILED);
		assert_int_equal(err.retry_after_s, 17);
		(void)snprintf(status, sizeof status, "%d", statuses[i]);
		assert_non_null(strstr(err.text, status));
	}
}

static void a_part_that_nobody_asked_for_is_a_failure(void **state)
{
	const struct object object = {.length = -1};
	const struct answer answer = {PART(0, 10)};
	struct err err = {0};

	assert_int_equal(verdict_of_answer(&answer, &object, 0, &err), VERDICT_FAILED);
	assert_non_null(strstr(err.text, "206"));
	assert_non_null(strstr(err.text, "the whole was asked for"));
}

static void tells_who_is_ill(void **state)
{
	static const struct {
		int status;
		const char *media_type;
		enum ailment ailment;
	} cases[] = {
		{200, "text/html", AILMENT_NONE},
		{404, "", AILMENT_NONE},
		{403, "", AILMENT_NONE},
		{429, "application/problem+json", AILMENT_SERVER},
		{500, "", AILMENT_ARTIFACT},
		{502, "text/html", AILMENT_ARTIFACT},
		{503, "application/problem+json", AILMENT_ARTIFACT},
		{504, "application/problem+json; charset=utf-8", AILMENT_NONE},
		{507, "application/problem+json", AILMENT_NONE},
		{508, "", AILMENT_NONE},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct answer answer = {.status = cases[i].status, WHOLE};

		(void)snprintf(answer.content_type, sizeof answer.content_type, "%s", cases[i].media_type);
		assert_int_equal(ailment_of_answer(&answer), cases[i].ailment);
	}
}

static void finds_what_proves_the_object(void **state)
{
	static const struct {
		struct answer answer;
		const char *validator;
	} cases[] = {
		{{.etag = "\"v1\"", .last_modified = DATE}, "\"v1\""},
		{{.etag = "W/\"v1\"", .last_modified = DATE}, NULL},
		{{.etag = "W/\"v1\""}, NULL},
		{{.last_modified = DATE}, DATE},
		{{.status = 200}, NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct object object = object_of_answer(&cases[i].answer);
		const char *validator = object_validator(&object);

		if (cases[i].validator)
			assert_string_equal(validator, cases[i].validator);
		else
			assert_null(validator);
	}
}

static void drops_dates_that_prove_nothing(void **state)
{
	/* DATE is 1795222923. */
	static const struct {
		const char *date;
		int64_t now_s;
		bool stays;
	} cases[] = {
		{DATE, 1795222923 + 60, true},
		{DATE, 1795222923 + 86400, true},
		{DATE, 1795222923 + 59, false},
		{DATE, 1795222923, false},
		{DATE, 1795222923 - 3600, false},
		{"yesterday", 1795222923, false},
		{"", 1795222923, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct object object = {.length = -1};

		(void)snprintf(object.last_modified, sizeof object.last_modified, "%s", cases[i].date);
		object_distrust_date(&object, cases[i].now_s);
		assert_int_equal(object.last_modified[0] != '\0', cases[i].stays);
	}
}

static void copies_what_the_head_says(void **state)
{
	const struct answer answer = {.length = 77, .etag = "\"v1\"", .last_modified = DATE};
	struct object object = object_of_answer(&answer);

	assert_int_equal(object.length, 77);
	assert_string_equal(object.etag, "\"v1\"");
	assert_string_equal(object.last_modified, DATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_an_answer),
		cmocka_unit_test(a_definite_answer_is_one_only_for_the_whole),
		cmocka_unit_test(head_is_judged_less_harshly),
		cmocka_unit_test(another_status_is_a_failure),
		cmocka_unit_test(a_part_that_nobody_asked_for_is_a_failure),
		cmocka_unit_test(tells_who_is_ill),
		cmocka_unit_test(finds_what_proves_the_object),
		cmocka_unit_test(drops_dates_that_prove_nothing),
		cmocka_unit_test(copies_what_the_head_says),
	};

	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
