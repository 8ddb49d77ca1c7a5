/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/thread.h"
#include "server/http/fast/fast_connection.h"

static bool is_end(enum fast_state state)
{
	return state == FAST_CLOSED || state == FAST_HANDED_ON || state == FAST_SEEN_OFF;
}

/* Marks what can be reached from the states that are marked. */
static void spread(bool reached[FAST_STATE_COUNT])
{
	for (unsigned round = 0; round < FAST_STATE_COUNT; round++) {
		for (enum fast_state from = 0; from < FAST_STATE_COUNT; from++) {
			for (enum fast_state to = 0; to < FAST_STATE_COUNT; to++)
				reached[to] |= reached[from] && fast_connection_may_enter(from, to);
		}
	}
}

static void every_state_is_reached_from_the_first(void **state)
{
	bool reached[FAST_STATE_COUNT] = {[FAST_ARRIVING] = true};

	spread(reached);
	for (enum fast_state each = 0; each < FAST_STATE_COUNT; each++)
		assert_true(reached[each]);
}

static void every_state_can_be_closed_and_no_end_is_left(void **state)
{
	for (enum fast_state from = 0; from < FAST_STATE_COUNT; from++) {
		bool reached[FAST_STATE_COUNT] = {0};

		reached[from] = true;
		spread(reached);
		assert_true(is_end(from) || reached[FAST_CLOSED]);
		for (enum fast_state to = 0; to < FAST_STATE_COUNT; to++)
			assert_false(is_end(from) && fast_connection_may_enter(from, to));
	}
}

/* An answer that has begun ends here: no other server could take it up. */
static void nobody_is_given_half_an_answer(void **state)
{
	for (enum fast_state from = FAST_ANSWERING; from < FAST_CLOSED; from++) {
		assert_false(fast_connection_may_enter(from, FAST_HANDED_ON));
		assert_false(fast_connection_may_enter(from, FAST_SEEN_OFF));
	}
}

static bool aborts(enum fast_state from, enum fast_state to)
{
	struct fast_connection connection = {.state = from};
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		(void)freopen("/dev/null", "w", stderr);
		fast_connection_enter(&connection, to);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void a_step_that_is_not_in_the_table_aborts_where_rules_are_checked(void **state)
{
	if (!thread_checks())
		skip();
	for (enum fast_state from = 0; from < FAST_STATE_COUNT; from++) {
		for (enum fast_state to = 0; to < FAST_STATE_COUNT; to++)
			assert_int_equal(aborts(from, to), !fast_connection_may_enter(from, to));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_is_reached_from_the_first),
		cmocka_unit_test(every_state_can_be_closed_and_no_end_is_left),
		cmocka_unit_test(nobody_is_given_half_an_answer),
		cmocka_unit_test(a_step_that_is_not_in_the_table_aborts_where_rules_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
