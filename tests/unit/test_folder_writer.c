/* SPDX-License-Identifier: Apache-2.0
 *
 * What strangers name stays in the folder, whatever version libarchive is of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/command/folder_writer.h"

enum { STEPS_MAX = 5 };

/* A folder where there is no content. */
struct step {
	const char *name;
	const char *content;
};

struct place {
	char path[64];
	char before[512];
	int root;
	struct folder_writer *writer;
};

/* The folder is one of two: what leads out of it would be seen beside it. */
static int make_place(void **state)
{
	static const struct folder_writer_modes modes = {0640, 0750};
	struct place *place = mem_zero(1, sizeof *place);
	AUTO_FREE char *root = NULL;
	struct err err;

	(void)snprintf(place->path, sizeof place->path, "/tmp/larder-test-writer-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	assert_non_null(getcwd(place->before, sizeof place->before));
	root = mem_printf("%s/root", place->path);
	assert_int_equal(mkdir(root, 0700), 0);
	place->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->root >= 0);
	assert_true(folder_writer_open(place->root, &modes, &place->writer, &err));
	*state = place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *command = mem_printf("rm -r '%s'", place->path);
	char now[512];

	folder_writer_close(place->writer);
	assert_string_equal(getcwd(now, sizeof now), place->before);
	own_close(&place->root);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

static bool take(struct folder_writer *writer, const struct step *step, struct err *err)
{
	if (!step->content)
		return folder_writer_add_folder(writer, step->name, err);
	return folder_writer_add_file(writer, step->name, (int64_t)strlen(step->content), err) &&
	       (!*step->content || folder_writer_write(writer, step->content, strlen(step->content), err));
}

/* Of all steps but the last it is expected that they are taken. */
static void assert_refused(const struct step *steps)
{
	void *state = NULL;
	struct place *place;
	struct stat status;
	struct err err;

	assert_int_equal(make_place(&state), 0);
	place = state;
	for (; steps[1].name; steps++)
		assert_true(take(place->writer, steps, &err));
	if (take(place->writer, steps, &err))
		fail_msg("%s is taken", steps->name);
	assert_int_equal(err.code, ERR_INVALID_MODULE);
	assert_int_equal(fstatat(place->root, "../evil", &status, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(remove_place(&state), 0);
}

static void test_nothing_leads_out(void **state)
{
	static const struct step cases[][STEPS_MAX] = {
		{{"../evil", "x"}},
		{{"../evil/", NULL}},
		{{"./../evil", "x"}},
		{{"a/", NULL}, {"a/../../evil", "x"}},
		{{"a/../b", "x"}},
		{{"..", NULL}},
		{{"a/..", NULL}},
		{{"/tmp/evil", "x"}},
		{{"//evil/", NULL}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_refused(cases[i]);
}

static void test_a_file_is_no_folder(void **state)
{
	static const struct step cases[][STEPS_MAX] = {
		{{"a", "x"}, {"a/b", "y"}},
		{{"a", "x"}, {"a/", NULL}},
		{{"a", "x"}, {"./a/b/c/", NULL}},
		{{"a/", NULL}, {"a", "x"}},
		{{"a/", NULL}, {"a/b", "y"}, {"a", "x"}},
		{{"a/b/c", "x"}, {"a/b", ""}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_refused(cases[i]);
}

static void assert_listing(const struct place *place, const char *expected)
{
	AUTO_FREE char *command = mem_printf(
		"cd '%s/root' && find . -type f -printf '%%p %%s %%m\\n' | LC_ALL=C sort", place->path);
	FILE *pipe = popen(command, "r");
	char found[1024];

	assert_non_null(pipe);
	found[fread(found, 1, sizeof found - 1, pipe)] = '\0';
	(void)pclose(pipe);
	assert_string_equal(found, expected);
}

/* Names are bytes; the last of a name wins; folders may be there already, or not at all. */
static void test_writes_what_is_named(void **state)
{
	static const struct step steps[] = {
		{"a", "first"},
		{"./a", "second"},
		{"a", ""},
		{"b/c/d", "x"},
		{"b/", NULL},
		{"./", NULL},
		{"././b/./e", "yy"},
		{"b//f", "zzz"},
		{"e\xcc\x81", "apart"},
		{"\xc3\xa9", "composed"},
		{"\xff\xfe", "raw"},
	};
	struct place *place = *state;
	struct err err;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (!take(place->writer, &steps[i], &err))
			fail_msg("%s: %s", steps[i].name, err.text);
	}
	assert_true(folder_writer_finish(place->writer, &err));
	assert_listing(place, "./a 0 640\n./b/c/d 1 640\n./b/e 2 640\n./b/f 3 640\n./e\xcc\x81 5 640\n"
			      "./\xc3\xa9 8 640\n./\xff\xfe 3 640\n");
}

/* Whoever could put one there has our rights; it is refused or replaced, but not followed. */
static void test_follows_no_link(void **state)
{
	static const struct step steps[] = {
		{"link/evil", "x"}, {"link", "x"}, {"link/", NULL}, {"link/deep/er", "x"}};
	struct place *place = *state;
	struct stat status;
	struct err err;

	assert_int_equal(symlinkat("..", place->root, "link"), 0);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		(void)take(place->writer, &steps[i], &err);
		assert_int_equal(fstatat(place->root, "../evil", &status, 0), -1);
		assert_int_equal(fstatat(place->root, "../deep", &status, 0), -1);
	}
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_leads_out),
		cmocka_unit_test(test_a_file_is_no_folder),
		IN_PLACE(test_writes_what_is_named),
		IN_PLACE(test_follows_no_link),
	};

	(void)umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
