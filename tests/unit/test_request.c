/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include "server/http/request.h"

static const char hosts[] = "tfhub.dev, www.tfhub.dev";

/* headers is a NULL-ended list of name, value, name, value … */
static const char *find_header(const void *headers, const char *name)
{
	for (const char *const *pair = headers; *pair; pair += 2) {
		if (strcasecmp(pair[0], name) == 0)
			return pair[1];
	}
	return NULL;
}

static void test_targets_become_paths(void **state)
{
	static const struct {
		const char *target;
		const char *path;
		const char *token;
		const char *log_path;
	} cases[] = {
		{"/", "/", NULL, "/"},
		{"/google/x/1", "/google/x/1", NULL, "/google/x/1"},
		{"/google/x/1/", "/google/x/1", NULL, "/google/x/1/"},
		{"/google/a%2Db/1?tf-hub-format=compressed", "/google/a-b/1", NULL,
			"/google/a-b/1?tf-hub-format=compressed"},
		{"/a%3Fb", "/a?b", NULL, "/a?b"},
		{"/https://tfhub.dev/google/x/1", "/google/x/1", NULL, "/https://tfhub.dev/google/x/1"},
		{"/https:/tfhub.dev/google/x/1", "/google/x/1", NULL, "/https:/tfhub.dev/google/x/1"},
		{"/http://WWW.TFHUB.DEV:443/google/x/1", "/google/x/1", NULL,
			"/http://WWW.TFHUB.DEV:443/google/x/1"},
		{"/https%3A//tfhub.dev/x/1", "/x/1", NULL, "/https://tfhub.dev/x/1"},
		{"/https://tfhub.dev", "/", NULL, "/https://tfhub.dev"},
		{"http://tfhub.dev/google/x/1?a=b", "/google/x/1", NULL, "http://tfhub.dev/google/x/1?a=b"},
		{"HTTP://tfhub.dev:80", "/", NULL, "HTTP://tfhub.dev:80"},
		{"/-/t/s3cret/google/x/1", "/google/x/1", "s3cret", "/-/t/…/google/x/1"},
		{"/-/t/s3cret", "/", "s3cret", "/-/t/…"},
		{"/-/t/s3cret?q=1", "/", "s3cret", "/-/t/…?q=1"},
		{"/-/t/s3cret/https://tfhub.dev/x/1", "/x/1", "s3cret", "/-/t/…/https://tfhub.dev/x/1"},
		{"/%2D/%74/s3cret/x", "/x", "s3cret", "/-/t/…/x"},
		{"http://tfhub.dev/-/t/s3cret/x", "/x", "s3cret", "http://tfhub.dev/-/t/…/x"},
		{"/httpsomething/x", "/httpsomething/x", NULL, "/httpsomething/x"},
		{"/http:x", "/http:x", NULL, "/http:x"},
		{"/..x/...", "/..x/...", NULL, "/..x/..."},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request request = {0};
		struct err err = {0};

		if (!request_set_target(&request, cases[i].target, hosts, &err))
			fail_msg("%s: %s", cases[i].target, err.text);
		assert_string_equal(request.path, cases[i].path);
		assert_string_equal(request.log_path, cases[i].log_path);
		if (cases[i].token)
			assert_string_equal(request_token(&request), cases[i].token);
		else
			assert_null(request_token(&request));
		request_finish(&request);
	}
}

static void test_broken_targets_are_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"*",
		"google/x/1",
		"//",
		"//google/x",
		"/google//x",
		"/google/x//",
		"/./x",
		"/x/..",
		"/x/../y",
		"/a%2Fb",
		"/a%2fb",
		"/a%00b",
		"/a%0ab",
		"/a%7f",
		"/a%",
		"/a%4",
		"/a%zz",
		"/a?b=%zz",
		"/-/t//x",
		"/-/t/",
		"/https://example.com/x",
		"/https:///x",
		"http://example.com/x",
		"http:///x",
		"ftp://tfhub.dev/x",
		"/https://tfhub.dev.example.com/x",
		"/https://user@tfhub.dev/x",
		"/-/t/a/../x",
		"/%2e%2e/x",
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request request = {0};
		struct err err = {0};

		if (request_set_target(&request, cases[i], hosts, &err))
			fail_msg("%s was taken as %s", cases[i], request.path);
		assert_int_equal(err.code, ERR_BAD_REQUEST);
		assert_non_null(request.log_path);
		request_finish(&request);
	}
}

static void test_tokens_never_reach_the_log(void **state)
{
	static const char *const cases[] = {
		"/-/t/s3cret/a%2Fb",
		"/-%2ft/s3cret/%zz",
		"/%2D/t/s3cret/..",
		"/https://example.com/-/t/s3cret/x",
		"http://example.com/-/t/s3cret",
		"/-/t/s3cret/a//b?x=%zz",
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request request = {0};
		struct err err;

		assert_false(request_set_target(&request, cases[i], hosts, &err));
		assert_null(strstr(request.log_path, "s3cret"));
		request_finish(&request);
	}
}

/* Where a token of ours slipped to another place of the target: doubled slashes, another parameter, escapes
 * of escapes. */
static void test_tokens_in_wrong_places_do_not_either(void **state)
{
	static const struct {
		const char *target;
		const char *log_path;
	} cases[] = {
		{"/-/t//lrd_0123456789abcdef/x", "/-/t/…/lrd_…/x"},
		{"/-//t/lrd_0123456789abcdef/x", "/-//t/lrd_…/x"},
		{"/lrd_0123456789ABCDEF/x", "/lrd_…/x"},
		{"/x?token=lrd_0123456789abcdef&y=1", "/x?token=lrd_…&y=1"},
		{"/%252D/t/lrd%255F0123456789abcdef", "/-/t/…"},
		{"/api/v1/explain?url=http%3A%2F%2Fmirror%2F-%2Ft%2Fs3cret%2Fgoogle%2Fx%2F1",
			"/api/v1/explain?url=http://mirror/-/t/…/google/x/1"},
		{"/-/t/one/-/t/two/x", "/-/t/…/-/t/…/x"},
		{"/google/lrd_short/1", "/google/lrd_short/1"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request request = {0};
		struct err err;

		(void)request_set_target(&request, cases[i].target, hosts, &err);
		assert_string_equal(request.log_path, cases[i].log_path);
		request_finish(&request);
	}
}

static void test_sizes_are_limited(void **state)
{
	char target[REQUEST_TARGET_MAX + 2];
	struct request request = {0};
	struct err err;

	memset(target, 'a', sizeof target);
	target[0] = '/';
	target[sizeof target - 1] = '\0';
	assert_false(request_set_target(&request, target, hosts, &err));
	request_finish(&request);
	target[REQUEST_TARGET_MAX] = '\0';
	assert_true(request_set_target(&request, target, hosts, &err));
	request_finish(&request);
}

static void test_query_is_decoded(void **state)
{
	struct request request = {0};
	struct err err;

	assert_true(request_set_target(&request, "/x?a=1&a=2&b=c%20d+e&f", hosts, &err));
	assert_string_equal(query_find(&request.query, "a"), "2");
	assert_string_equal(query_find(&request.query, "b"), "c d e");
	assert_string_equal(query_find(&request.query, "f"), "");
	request_finish(&request);
}

static void test_a_path_comes_behind_bearer_and_before_basic(void **state)
{
	static const char *const bearer[] = {"Authorization", "bearer  from-header", NULL};
	static const char *const basic[] = {"Authorization", "Basic eDp5", NULL};
	struct request request = {.find_header = find_header, .headers = bearer};
	struct err err;

	assert_true(request_set_target(&request, "/-/t/from-path/x", hosts, &err));
	assert_string_equal(request_token(&request), "from-header");
	request.headers = basic;
	request_read_basic(&request);
	assert_string_equal(request_token(&request), "from-path");
	request_finish(&request);

	request = (struct request){.find_header = find_header, .headers = basic};
	assert_true(request_set_target(&request, "/x", hosts, &err));
	request_read_basic(&request);
	assert_string_equal(request_token(&request), "y");
	request_finish(&request);
}

static void test_browsers_are_told_from_programs(void **state)
{
	static const struct {
		const char *accept;
		bool html;
	} cases[] = {
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
		{"text/html", true},
		{"TEXT/HTML;level=1;q=0.4, application/json; q=0.3", true},
		{"text/*, application/json;q=0.9", true},
		{"*/*", false},
		{"application/json", false},
		{"application/json, text/html", false},
		{"text/html;q=0, */*", false},
		{"text/html;q=nan, application/json;q=1e300", false},
		{"", false},
		{";;;,,,", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *const headers[] = {"Accept", cases[i].accept, NULL};
		const struct request request = {.find_header = find_header, .headers = headers};

		if (request_wants_html(&request) != cases[i].html)
			fail_msg("Accept: %s", cases[i].accept);
	}
	assert_false(request_wants_html(&(struct request){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets_become_paths),
		cmocka_unit_test(test_broken_targets_are_refused),
		cmocka_unit_test(test_tokens_never_reach_the_log),
		cmocka_unit_test(test_tokens_in_wrong_places_do_not_either),
		cmocka_unit_test(test_sizes_are_limited),
		cmocka_unit_test(test_query_is_decoded),
		cmocka_unit_test(test_a_path_comes_behind_bearer_and_before_basic),
		cmocka_unit_test(test_browsers_are_told_from_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
