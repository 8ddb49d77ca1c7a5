/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/registry/latest.h"

static void reads_the_version_that_a_redirect_names(void **state)
{
	static const struct {
		const char *url;
		const char *handle;
		int64_t version;
	} cases[] = {
		{"https://tfhub.dev/google/x/3?tf-hub-format=compressed", "google/x", 3},
		{"https://tfhub.dev/google/x/3", "google/x", 3},
		{"https://tfhub.dev/google/x/3/", "google/x", 3},
		{"https://tfhub.dev/google/x/3#top", "google/x", 3},
		{"http://h:8080/-/t/secret/google/x/12?a=/google/x/5", "google/x", 12},
		{"http://h/google/x/1/google/x/7", "google/x", 7},
		{"http://h/tfhub-modules/google/x/3.tar.gz", "google/x", 3},
		{"http://h/tfhub-lite-models/google/x/3.tflite", "google/x", 3},
		{"http://h/goo%67le/x/3", "google/x", 3},
		{"http://h/google/x/1/default/2", "google/x/1/default", 2},
		{"http://h/google/x/1/default/2", "google/x", 0},
		{"http://h/google/x", "google/x", 0},
		{"http://h/google/x/", "google/x", 0},
		{"http://h/google/x/0", "google/x", 0},
		{"http://h/google/x/03", "google/x", 0},
		{"http://h/google/x/3x", "google/x", 0},
		{"http://h/google/x/3.zip", "google/x", 0},
		{"http://h/google/xy/3", "google/x", 0},
		{"http://h/agoogle/x/3", "google/x", 0},
		{"http://h/google/x/99999999999999999999", "google/x", 0},
		{"http://h/?next=/google/x/3", "google/x", 0},
		{"http://h/%zz/google/x/3", "google/x", 0},
		{"", "google/x", 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		print_message("%s\n", cases[i].url);
		assert_int_equal(latest_version_in(cases[i].url, cases[i].handle), cases[i].version);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reads_the_version_that_a_redirect_names)};

	return cmocka_run_group_tests_name("latest", tests, NULL, NULL);
}
