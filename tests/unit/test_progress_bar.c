/* SPDX-License-Identifier: Apache-2.0
 *
 * How far something has come, as a log has it: standard error is a file here. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/command/progress_bar.h"

struct place {
	int stderr_fd;
	int file_fd;
	struct progress_bar bar;
};

static int set_up(void **state)
{
	static struct place place;
	char path[] = "/tmp/test_progress_bar.XXXXXX";

	place.stderr_fd = dup(STDERR_FILENO);
	place.file_fd = mkstemp(path);
	(void)unlink(path);
	(void)dup2(place.file_fd, STDERR_FILENO);
	progress_bar_init(&place.bar, "importing");
	*state = &place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	(void)dup2(place->stderr_fd, STDERR_FILENO);
	(void)close(place->stderr_fd);
	(void)close(place->file_fd);
	return 0;
}

static const char *written(struct place *place)
{
	static char text[1000];
	ssize_t length;

	(void)fflush(stderr);
	length = pread(place->file_fd, text, sizeof text - 1, 0);
	text[length > 0 ? length : 0] = '\0';
	return text;
}

static void step(struct place *place, const char *what, int64_t done, size_t count)
{
	place->bar.next_ms = 0;
	progress_bar_step(&place->bar, what, done, 200, count, "versions");
}

static void test_versions_are_told_where_bytes_say_nothing(void **state)
{
	step(*state, "reading", 50, 700);
	step(*state, "recording", 199, 2739);
	step(*state, "recording", 300, 2740);
	assert_non_null(strstr(written(*state), "reading: 25 %, 700 versions"));
	assert_non_null(strstr(written(*state), "recording: 99 %, 2739 versions"));
	assert_non_null(strstr(written(*state), "recording: 100 %, 2740 versions"));
}

static void work(struct place *place, const char *what, struct progress_work done)
{
	place->bar.next_ms = 0;
	/* A second ago. */
	place->bar.started_ms -= 1000;
	done.things = "files";
	progress_bar_work(&place->bar, what, &done);
}

static void test_bytes_and_things_are_told_together(void **state)
{
	static const struct {
		struct progress_work work;
		const char *words;
	} rows[] = {
		{{50 << 20, 100 << 20, 1, 2}, "importing: 50 % of 100.0 MiB, 1 of 2 files, "},
		{{0, 100 << 20, 0, 2}, "importing: 0 % of 100.0 MiB, 0 of 2 files, 0 B/s\n"},
		{{100 << 20, 100 << 20, 2, 2}, "importing: 100 % of 100.0 MiB, 2 of 2 files, "},
		/* Many that are small: it is them that take the time. */
		{{0, 1 << 20, 500, 1000}, "importing: 49 % of 1.0 MiB, 500 of 1000 files, "},
		{{0, 0, 30, 120}, "importing: 25 %, 30 of 120 files, "},
		{{0, 0, 30, 0}, "importing: 30 files, "},
		{{0, 0, 0, 0}, "importing: 0 files, 0/s\n"},
		{{9, 1, 9, 1}, "importing: 100 % of 1 B, 9 of 1 files, "},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		work(*state, "importing", rows[i].work);
		if (!strstr(written(*state), rows[i].words))
			fail_msg("no \"%s\" in %s", rows[i].words, written(*state));
	}
	assert_non_null(strstr(written(*state), "/s, 0:0"));
}

static void test_what_is_done_quickly_shows_nothing(void **state)
{
	struct place *place = *state;

	progress_bar_step(&place->bar, "reading", 50, 200, 700, "versions");
	assert_string_equal(written(place), "");
}

static void test_nothing_at_all_is_no_division(void **state)
{
	struct place *place = *state;

	place->bar.next_ms = 0;
	progress_bar_step(&place->bar, "reading", 0, 0, 0, "versions");
	assert_non_null(strstr(written(place), "reading: 0 %, 0 versions"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_versions_are_told_where_bytes_say_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bytes_and_things_are_told_together, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_done_quickly_shows_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_at_all_is_no_division, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
