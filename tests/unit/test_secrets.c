/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/secrets.h"

static void shows_what_is_no_secret(void **state)
{
	static const struct {
		const char *url;
		bool with_query;
		const char *shown;
	} cases[] = {
		{"https://tfhub.dev/google/x/1?tf-hub-format=compressed", true,
			"https://tfhub.dev/google/x/1?tf-hub-format=compressed"},
		{"https://tfhub.dev/google/x/1?tf-hub-format=compressed", false,
			"https://tfhub.dev/google/x/1"},
		{"http://[::1]:8080/a%20b/%C3%A9", true, "http://[::1]:8080/a%20b/%C3%A9"},
		{"http://h/-/t/tok/x/1", true, "http://h/-/t/…/x/1"},
		{"http://h/%2d/t%2Ftok/x/1#f", true, "http://h/-/t/…/x/1"},
		{"http://me:pass@h/x", true, "http://h/x"},
		{"http://h/@handle/x", true, "http://h/@handle/x"},
		{"http://h/cap_0123456789/x/cap_/cap_1_2/lrd_1", true,
			"http://h/cap_0123456789/x/cap_/cap_1_2/lrd_1"},
		{"http://h", true, "http://h"},
		{"", true, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *shown = secrets_hide(cases[i].url, cases[i].with_query);

		assert_string_equal(shown, cases[i].shown);
	}
}

/* Each part that may hold a secret, in each spelling, with all the others. */
static void hides_a_secret_wherever_it_is(void **state)
{
	static const char *const users[] = {
		"", "s3cret@", "ci:s3cret@", "c%69:s3cret%2Fs3cret@", "a@b:s3cret@"};
	static const char *const paths[] = {"", "/-/t/s3cret", "/%2D/t/s3cret", "/-/%74/s3cret%41",
		"/%252D/t/s3cret", "/-/t%2fs3cret", "/hub/-/t/s3cret/-/t/s3cret",
		"/lrd_0123456789abcdefs3cret", "/-/t//cap_1795942091_0123456789abcdefs3cret",
		"/http://u:s3cret@in/"};
	static const char *const queries[] = {"", "?key=s3cret", "?s3cret", "?a=b&sig=s3cret#s3cret"};
	size_t tried = 0;

	(void)state;
	for (size_t user = 0; user < sizeof users / sizeof *users; user++) {
		for (size_t path = 0; path < sizeof paths / sizeof *paths; path++) {
			for (size_t query = 0; query < sizeof queries / sizeof *queries; query++) {
				AUTO_FREE char *url = mem_printf("https://%shub.example%s/google/x/1%s",
					users[user], paths[path], queries[query]);
				AUTO_FREE char *shown = secrets_hide(url, false);

				/* What only looks like a token ends with its digits. */
				if (path == 7 || path == 8)
					assert_null(strstr(shown, "0123456789abcdef"));
				else
					assert_null(strstr(shown, "s3cret"));
				assert_non_null(strstr(shown, "hub.example"));
				assert_non_null(strstr(shown, "/google/x/1"));
				tried++;
			}
		}
	}
	assert_int_equal(tried, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_what_is_no_secret),
		cmocka_unit_test(hides_a_secret_wherever_it_is),
	};

	return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
