/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/module/name.h"

static const char handles_file[] = "../shared/testdata/tfhub_handles.tsv";

struct good_row {
	const char *path;
	const char *handle;
	int64_t version;
	const char *member;
};

static const struct good_row good[] = {
	{"google", "google", 0, NULL},
	{"123", "123", 0, NULL},
	{"google/bert", "google/bert", 0, NULL},
	{"google/bert/1", "google/bert", 1, NULL},
	{"a-b/X_y.Z-0/12", "a-b/X_y.Z-0", 12, NULL},
	{"google/spice/1/default/1", "google/spice/1/default", 1, NULL},
	{"google/spice/007/default/1", "google/spice/007/default", 1, NULL},
	{"google/1/2", "google/1", 2, NULL},
	{"google/.../1", "google/...", 1, NULL},
	{"google/bert/1/model.json", "google/bert", 1, "model.json"},
	{"google/bert/1/a b/\xc3\xa4%.txt", "google/bert", 1, "a b/\xc3\xa4%.txt"},
	{"google/spice/1/default", "google/spice", 1, "default"},
	{"apis/x/9223372036854775807", "apis/x", INT64_MAX, NULL},
};

static void test_reads_paths(void **state)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct name name = {.format = FORMAT_CORAL};
		struct err err = {0};
		const char *member = "";

		if (!name_parse_path(good[i].path, &name, &member, &err))
			fail_msg("%s: %s", good[i].path, err.text);
		assert_string_equal(name.handle, good[i].handle);
		assert_int_equal(name.version, good[i].version);
		assert_int_equal(name.format, FORMAT_CORAL);
		if (good[i].member)
			assert_string_equal(member, good[i].member);
		else
			assert_null(member);
	}
}

static const char *const bad[] = {"", "/", "/google", "google/", "google//x/1", "google/./x/1",
	"google/../x/1", "google/x/1/", "google/x/1/..", "google/x/1/a/../b", "google/x/0", "google/x/01",
	"google/7", "google/x/9223372036854775808", "google/x/99999999999999999999999", "Google/x/1",
	"go_ogle/x/1", "-/t/1", "-x/y/1", "api/v1/modules", "api", "healthz", "readyz/x/1", "metrics",
	"google/x y/1", "google/\xc3\xa4/1", "google/x/1/a\nb", "google/x/1/\x7f", "google/x/1/\xc2\x80",
	"google/x/1/\xff", "google/x/1/\xc0\xaf", "google/x/1/\xed\xa0\x80", "google/x/1/a b/2",
	"goo%2fgle/x/1"};

static void test_refuses_paths(void **state)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct name name = {0};
		struct err err = {0};
		const char *member;

		if (name_parse_path(bad[i], &name, &member, &err))
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.code, ERR_BAD_REQUEST);
		assert_true(strlen(err.text) > 10);
		assert_string_equal(name.handle, "");
	}
}

static void test_bounds_length(void **state)
{
	char path[NAME_PATH_MAX + 2] = "google/";
	struct name name;
	struct err err;
	const char *member;

	memset(path + 7, 'x', NAME_PATH_MAX - 7);
	path[NAME_PATH_MAX] = '\0';
	assert_true(name_parse_path(path, &name, &member, &err));
	assert_int_equal(strlen(name.handle), NAME_PATH_MAX);
	path[NAME_PATH_MAX] = 'x';
	path[NAME_PATH_MAX + 1] = '\0';
	assert_false(name_parse_path(path, &name, &member, &err));
}

static void test_versioned_is_whole(void **state)
{
	struct name name = {.version = 77};
	struct err err;

	assert_false(name_parse_versioned("google", &name, &err));
	assert_false(name_parse_versioned("google/x", &name, &err));
	assert_false(name_parse_versioned("google/x/1/model.json", &name, &err));
	assert_int_equal(name.version, 77);
	assert_true(name_parse_versioned("google/x/y/3", &name, &err));
	assert_string_equal(name_path(&name).text, "google/x/y/3");
	assert_string_equal(name_publisher(name.handle).text, "google");
	name.version = 0;
	assert_string_equal(name_path(&name).text, "google/x/y");
	assert_string_equal(name_publisher("solo").text, "solo");
}

static void test_formats(void **state)
{
	enum format format;

	for (int i = 0; i < FORMAT_COUNT; i++) {
		assert_true(format_parse(formats[i].name, &format));
		assert_int_equal(format, i);
		assert_non_null(formats[i].query_key);
		assert_int_equal(formats[i].is_archive, strcmp(formats[i].query_value, "compressed") == 0);
	}
	assert_false(format_parse("onnx", &format));
}

/* Some documents carry this entity in the handle, which their readers drop. */
static void drop_entities(char *path)
{
	static const char entity[] = "&zwnj;";

	for (char *at = strstr(path, entity); at; at = strstr(at, entity))
		memmove(at, at + strlen(entity), strlen(at + strlen(entity)) + 1);
}

static void test_reads_every_known_handle(void **state)
{
	FILE *file = fopen(handles_file, "r");
	char line[1024];
	size_t count = 0;

	if (!file) {
		print_message("%s is not there: skipped\n", handles_file);
		skip();
	}
	while (fgets(line, sizeof line, file)) {
		char *kind = strtok(line, "\t");
		char *path = strtok(NULL, "\t");
		struct name name;
		struct err err;

		if (kind[0] == '#' || !path || strcmp(kind, "Collection") == 0 ||
			strcmp(kind, "Publisher") == 0)
			continue;
		drop_entities(path);
		if (!name_parse_versioned(path, &name, &err))
			fail_msg("%s: %s", path, err.text);
		assert_string_equal(name_path(&name).text, path);
		count++;
	}
	(void)fclose(file);
	assert_true(count > 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_paths),
		cmocka_unit_test(test_refuses_paths),
		cmocka_unit_test(test_bounds_length),
		cmocka_unit_test(test_versioned_is_whole),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_reads_every_known_handle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
