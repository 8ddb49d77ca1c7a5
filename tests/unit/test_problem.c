/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "server/http/problem.h"

static const char *header(const struct reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++) {
		if (strcmp(reply->headers[i].name, name) == 0)
			return reply->headers[i].value;
	}
	return NULL;
}

static json_t *body(const struct reply *reply)
{
	json_t *value = json_loadb(reply->bytes, reply->length, 0, NULL);

	assert_non_null(value);
	return value;
}

static const char *member(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void test_every_code_has_its_status(void **state)
{
	static const struct {
		enum err_code code;
		int status;
		const char *type;
		const char *retry_after;
	} rows[] = {
		{ERR_BAD_REQUEST, 400, "urn:larder:bad-request", NULL},
		{ERR_DIGEST_MISMATCH, 400, "urn:larder:digest-mismatch", NULL},
		{ERR_UNAUTHORIZED, 401, "urn:larder:unauthorized", NULL},
		{ERR_FORBIDDEN, 403, "urn:larder:forbidden", NULL},
		{ERR_BLOCKED_BY_POLICY, 403, "urn:larder:blocked-by-policy", NULL},
		{ERR_SIGNATURE_REQUIRED, 403, "urn:larder:signature-required", NULL},
		{ERR_NOT_FOUND, 404, "urn:larder:not-found", NULL},
		{ERR_METHOD_NOT_ALLOWED, 405, "urn:larder:method-not-allowed", NULL},
		{ERR_GONE, 410, "urn:larder:gone", NULL},
		{ERR_CONFLICT, 409, "urn:larder:conflict", NULL},
		{ERR_RANGE_NOT_SATISFIABLE, 416, "urn:larder:range-not-satisfiable", NULL},
		{ERR_TOO_LARGE, 413, "urn:larder:too-large", NULL},
		{ERR_HEAD_TOO_LARGE, 431, "urn:larder:head-too-large", NULL},
		{ERR_UNSUPPORTED_MEDIA, 415, "urn:larder:unsupported-media", NULL},
		{ERR_INVALID_MODULE, 422, "urn:larder:invalid-module", NULL},
		{ERR_UNSAFE_MODULE, 422, "urn:larder:unsafe-module", NULL},
		{ERR_OFFLINE, 504, "urn:larder:offline", NULL},
		{ERR_UPSTREAM_UNREACHABLE, 504, "urn:larder:upstream-unreachable", "30"},
		{ERR_UPSTREAM_FAILED, 502, "urn:larder:upstream-failed", "30"},
		{ERR_LOOP_DETECTED, 508, "urn:larder:loop-detected", NULL},
		{ERR_QUARANTINED, 451, "urn:larder:quarantined", NULL},
		{ERR_TOO_MANY_ATTEMPTS, 429, "urn:larder:too-many-attempts", "1"},
		{ERR_BUSY, 503, "urn:larder:busy", "1"},
		{ERR_STORE_UNAVAILABLE, 503, "urn:larder:store-unavailable", "5"},
		{ERR_NO_SPACE, 507, "urn:larder:no-space", "60"},
		{ERR_INTERNAL, 500, "urn:larder:internal", NULL},
	};

	assert_int_equal(sizeof rows / sizeof *rows, ERR_CODE_COUNT - 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct reply reply;
		struct err err;
		json_t *object;

		(void)err_set(&err, rows[i].code, "the sentence");
		reply_init(&reply);
		problem_reply(&reply, &err);
		assert_int_equal(reply.status, rows[i].status);
		assert_int_equal(problem_status(rows[i].code), rows[i].status);
		assert_int_equal(reply.problem, rows[i].code);
		assert_string_equal(header(&reply, "Content-Type"), "application/problem+json");
		assert_string_equal(header(&reply, "Cache-Control"), "no-store");
		object = body(&reply);
		assert_string_equal(member(object, "type"), rows[i].type);
		assert_string_equal(member(object, "code"), err_name(rows[i].code));
		assert_int_equal(json_integer_value(json_object_get(object, "status")), rows[i].status);
		assert_true(strlen(member(object, "title")) > 0);
		assert_true((strcmp(member(object, "detail"), "the sentence") == 0) ==
			    (rows[i].code != ERR_INTERNAL));
		assert_true((header(&reply, "WWW-Authenticate") != NULL) == (rows[i].status == 401));
		if (rows[i].retry_after)
			assert_string_equal(header(&reply, "Retry-After"), rows[i].retry_after);
		else
			assert_null(header(&reply, "Retry-After"));
		json_decref(object);
		reply_finish(&reply);
	}
}

static void test_a_refusal_replaces_what_was_begun(void **state)
{
	struct reply reply;
	struct err err;
	json_t *object;

	reply_init(&reply);
	(void)strcpy(reply.note, "hit");
	reply_text(&reply, 200, "text/plain", "hello");
	reply_header(&reply, "ETag", "\"x\"");
	(void)err_set(&err, ERR_BUSY, "later");
	err.retry_after_s = 7;
	problem_reply_with(&reply, &err, json_pack("{s:[s], s:s}", "violations", "a", "code", "not this"));
	assert_null(header(&reply, "ETag"));
	assert_string_equal(header(&reply, "Retry-After"), "7");
	assert_string_equal(reply.note, "hit");
	object = body(&reply);
	assert_int_equal(json_array_size(json_object_get(object, "violations")), 1);
	assert_string_equal(member(object, "code"), "busy");
	json_decref(object);
	reply_finish(&reply);
}

static void test_a_sentence_that_is_not_utf8(void **state)
{
	struct reply reply;
	struct err err;
	json_t *object;

	reply_init(&reply);
	(void)err_set(&err, ERR_BAD_REQUEST, "bad \xff name");
	problem_reply(&reply, &err);
	object = body(&reply);
	assert_string_equal(member(object, "detail"), "bad ? name");
	json_decref(object);
	reply_finish(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_has_its_status),
		cmocka_unit_test(test_a_refusal_replaces_what_was_begun),
		cmocka_unit_test(test_a_sentence_that_is_not_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
