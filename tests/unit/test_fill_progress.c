/* SPDX-License-Identifier: Apache-2.0
 *
 * What a running fill shows of itself: figures, rate, time left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/thread.h"
#include "server/registry/fill_progress.h"

static const char upstream[] = "tfhub";

static int setup(void **state)
{
	static struct fill_progress progress;

	fill_progress_init(&progress);
	*state = &progress;
	return 0;
}

static int teardown(void **state)
{
	fill_progress_finish(*state);
	return 0;
}

/* Pours so many bytes a second for a while, in steps of a tenth of one; returns when it ended. */
static int64_t pour(
	struct fill_progress *progress, int64_t from_ms, int64_t *bytes, int64_t rate, int seconds)
{
	for (int step = 0; step < seconds * 10; step++) {
		fill_progress_bytes(progress, *bytes, from_ms);
		from_ms += 100;
		*bytes += rate / 10;
	}
	fill_progress_bytes(progress, *bytes, from_ms);
	return from_ms;
}

static void test_before_it_begins(void **state)
{
	struct fill_figures figures = fill_progress_read(*state, 1000);

	assert_string_equal(fill_state_name(figures.state), "waiting");
	assert_null(figures.upstream);
	assert_int_equal(figures.attempts, 0);
	assert_int_equal(figures.bytes, 0);
	assert_int_equal(figures.total_bytes, -1);
	assert_int_equal(figures.rate, 0);
	assert_int_equal(figures.eta_s, -1);
}

static void test_a_steady_transfer(void **state)
{
	struct fill_progress *progress = *state;
	struct fill_figures figures;
	int64_t bytes = 0;
	int64_t now_ms;

	fill_progress_attempt(progress, upstream);
	fill_progress_total(progress, 100000);
	now_ms = pour(progress, 5000, &bytes, 1000, 20);
	figures = fill_progress_read(progress, now_ms);
	assert_int_equal(figures.state, FILL_TRANSFERRING);
	assert_ptr_equal(figures.upstream, upstream);
	assert_int_equal(figures.bytes, 20000);
	assert_int_equal(figures.rate, 1000);
	assert_int_equal(figures.eta_s, 80);
}

static void test_the_rate_is_that_of_the_last_seconds(void **state)
{
	struct fill_progress *progress = *state;
	int64_t bytes = 0;
	int64_t now_ms;

	fill_progress_attempt(progress, upstream);
	now_ms = pour(progress, 0, &bytes, 1000000, 60);
	now_ms = pour(progress, now_ms, &bytes, 10000, 6);
	assert_int_equal(fill_progress_read(progress, now_ms).rate, 10000);
	assert_int_equal(fill_progress_read(progress, now_ms).eta_s, -1);
}

static void test_the_rate_of_a_stalled_transfer_falls(void **state)
{
	struct fill_progress *progress = *state;
	int64_t bytes = 0;
	int64_t now_ms;

	fill_progress_attempt(progress, upstream);
	now_ms = pour(progress, 0, &bytes, 1000, 10);
	assert_true(fill_progress_read(progress, now_ms + 5000).rate <= 500);
	assert_true(fill_progress_read(progress, now_ms + 1000000).rate < 10);
}

static void test_a_new_beginning(void **state)
{
	struct fill_progress *progress = *state;
	struct fill_figures figures;
	int64_t bytes = 0;
	int64_t now_ms;

	fill_progress_attempt(progress, upstream);
	now_ms = pour(progress, 0, &bytes, 1000, 3);
	fill_progress_bytes(progress, 0, now_ms);
	fill_progress_attempt(progress, "other");
	figures = fill_progress_read(progress, now_ms);
	assert_int_equal(figures.attempts, 2);
	assert_string_equal(figures.upstream, "other");
	assert_int_equal(figures.bytes, 0);
	assert_int_equal(figures.rate, 0);
}

static void test_more_than_was_told(void **state)
{
	struct fill_progress *progress = *state;
	int64_t bytes = 0;
	int64_t now_ms;

	fill_progress_attempt(progress, upstream);
	fill_progress_total(progress, 10);
	now_ms = pour(progress, 0, &bytes, 1000, 2);
	assert_int_equal(fill_progress_read(progress, now_ms).eta_s, -1);
}

static void test_verifying(void **state)
{
	struct fill_progress *progress = *state;
	int64_t bytes = 0;
	int64_t now_ms;

	fill_progress_attempt(progress, upstream);
	now_ms = pour(progress, 0, &bytes, 1000, 2);
	fill_progress_verify(progress);
	assert_string_equal(fill_state_name(fill_progress_read(progress, now_ms).state), "verifying");
	assert_int_equal(fill_progress_read(progress, now_ms).rate, 0);
}

/* In a process of its own: what the header does not draw is to abort. */
static bool aborts(void (*act)(struct fill_progress *progress))
{
	struct fill_progress progress;
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		fill_progress_init(&progress);
		fill_progress_attempt(&progress, upstream);
		act(&progress);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void keep_unverified(struct fill_progress *progress)
{
	fill_progress_end(progress, true);
}

static void verify_twice(struct fill_progress *progress)
{
	fill_progress_verify(progress);
	fill_progress_verify(progress);
}

static void go_on_after_the_end(struct fill_progress *progress)
{
	fill_progress_end(progress, false);
	fill_progress_attempt(progress, upstream);
}

static void ask_again_and_keep(struct fill_progress *progress)
{
	fill_progress_verify(progress);
	fill_progress_attempt(progress, upstream);
	fill_progress_verify(progress);
	fill_progress_end(progress, true);
}

static void test_what_may_follow(void **state)
{
	(void)state;
	if (!thread_checks())
		skip();
	assert_true(aborts(keep_unverified));
	assert_true(aborts(verify_twice));
	assert_true(aborts(go_on_after_the_end));
	assert_false(aborts(ask_again_and_keep));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_before_it_begins),
		TEST(test_a_steady_transfer),
		TEST(test_the_rate_is_that_of_the_last_seconds),
		TEST(test_the_rate_of_a_stalled_transfer_falls),
		TEST(test_a_new_beginning),
		TEST(test_more_than_was_told),
		TEST(test_verifying),
		cmocka_unit_test(test_what_may_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
