/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "server/http/route.h"

static bool is_taken(const char *path)
{
	return !strstr(path, "/not/");
}

static const struct route routes[] = {
	{.method = METHOD_GET, .pattern = "/healthz"},
	{.method = METHOD_GET, .pattern = "/api/v1/fills"},
	{.method = METHOD_POST, .pattern = "/api/v1/fills"},
	{.method = METHOD_DELETE, .pattern = "/api/v1/fills/*"},
	{.method = METHOD_GET, .pattern = "/hub/*"},
	{.method = METHOD_PUT, .pattern = "/hub/*", .takes = is_taken},
	{.method = METHOD_DELETE, .pattern = "/hub/*"},
	{.method = METHOD_GET, .pattern = "/hub/never"},
	{.method = METHOD_GET, .pattern = "/hub/void/*", .any_method = true},
};

struct row {
	enum method method;
	const char *path;
	int found; /* its index in routes; -1: none */
	const char *rest;
	const char *allow;
};

static const struct row rows[] = {
	{METHOD_GET, "/healthz", 0, "", ""},
	{METHOD_HEAD, "/healthz", 0, "", ""},
	{METHOD_POST, "/healthz", -1, NULL, "GET, HEAD, OPTIONS"},
	{METHOD_GET, "/healthz/x", -1, NULL, ""},
	{METHOD_GET, "/api/v1/fills", 1, "", ""},
	{METHOD_POST, "/api/v1/fills", 2, "", ""},
	{METHOD_PUT, "/api/v1/fills", -1, NULL, "GET, HEAD, POST, OPTIONS"},
	{METHOD_DELETE, "/api/v1/fills/7", 3, "7", ""},
	{METHOD_GET, "/api/v1/fills/7", -1, NULL, "DELETE, OPTIONS"},
	{METHOD_GET, "/hub/", 4, "", ""},
	{METHOD_HEAD, "/hub/google/x/1", 4, "google/x/1", ""},
	{METHOD_PUT, "/hub/google/x/1", 5, "google/x/1", ""},
	{METHOD_OPTIONS, "/hub/google/x/1", -1, NULL, "GET, HEAD, PUT, DELETE, OPTIONS"},
	{METHOD_OTHER, "/hub/google/x/1", -1, NULL, "GET, HEAD, PUT, DELETE, OPTIONS"},
	{METHOD_GET, "/hub/never", 7, "", ""},
	{METHOD_PUT, "/hub/never", -1, NULL, "GET, HEAD, OPTIONS"},
	{METHOD_OPTIONS, "/hub/not/x", -1, NULL, "GET, HEAD, DELETE, OPTIONS"},
	{METHOD_PUT, "/hub/not/x", 5, "not/x", ""},
	{METHOD_GET, "/hub/void/x", 8, "x", ""},
	{METHOD_OPTIONS, "/hub/void/x", 8, "x", ""},
	{METHOD_PUT, "/hub/void/", 8, "", ""},
	{METHOD_GET, "/hub", -1, NULL, ""},
	{METHOD_GET, "/", -1, NULL, ""},
};

static void test_nearest_row(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct request request = {.method = rows[i].method, .path = (char *)rows[i].path};
		bool path_known = false;
		char allow[64];
		const struct route *found =
			route_find(routes, sizeof routes / sizeof *routes, &request, &path_known, allow);

		assert_ptr_equal(found, rows[i].found < 0 ? NULL : &routes[rows[i].found]);
		assert_string_equal(allow, rows[i].allow);
		assert_int_equal(path_known, found || *allow);
		if (found)
			assert_string_equal(request.rest, rows[i].rest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
