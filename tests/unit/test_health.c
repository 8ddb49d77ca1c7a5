/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/own.h"
#include "server/metrics.h"
#include "server/registry/health.h"

enum { THREADS = 8, ROUNDS = 200, TURNS = 3 };

static const _Atomic bool never = false;
static char name[] = "far";
static const struct upstream upstreams[] = {{.name = name, .max_connections = TURNS}, {.name = name}};

AUTO_CLEANER(own_health, struct health *, health_destroy)
#define AUTO_HEALTH AUTO(own_health)

static struct turn enter(struct health *health, size_t upstream)
{
	struct err err = {0};
	struct turn turn;

	if (!health_enter(health, upstream, 0, &never, &turn, &err))
		fail_msg("%s", err.text);
	return turn;
}

static void fail_once(struct health *health, int64_t retry_after_s)
{
	struct turn turn = enter(health, 0);

	health_note_ill(health, &turn, NULL, retry_after_s);
	health_leave(health, &turn);
}

static void assert_cooling(struct health *health, unsigned least_s, unsigned most_s)
{
	struct err err = {0};
	struct turn turn;

	assert_true(health_is_cooling(health, 0));
	assert_false(health_enter(health, 0, 0, &never, &turn, &err));
	assert_int_equal(err.code, ERR_UPSTREAM_UNREACHABLE);
	assert_in_range(err.retry_after_s, least_s, most_s);
	assert_non_null(strstr(err.text, "cooling down"));
}

static void three_failures_in_a_row_begin_a_cool_down(void **state)
{
	AUTO_HEALTH struct health *health = health_create(upstreams, 2);
	struct turn turn;

	(void)state;
	fail_once(health, 0);
	fail_once(health, 0);
	turn = enter(health, 0);
	health_note_well(health, &turn);
	health_leave(health, &turn);
	fail_once(health, 0);
	fail_once(health, 0);
	assert_false(health_is_cooling(health, 0));
	fail_once(health, 0);
	assert_cooling(health, 10, 13);
	/* The other one is not concerned. */
	assert_false(health_is_cooling(health, 1));
	turn = enter(health, 1);
	health_leave(health, &turn);
}

static void fail_for(struct health *health, const char *handle)
{
	struct turn turn = enter(health, 0);
	struct name wanted = {.version = 1};

	(void)strcpy(wanted.handle, handle);
	health_note_ill(health, &turn, &wanted, 0);
	health_leave(health, &turn);
}

static void one_artifact_counts_once(void **state)
{
	AUTO_HEALTH struct health *health = health_create(upstreams, 2);

	(void)state;
	for (int i = 0; i < 10; i++)
		fail_for(health, "google/a");
	fail_for(health, "google/b");
	fail_for(health, "google/a");
	assert_false(health_is_cooling(health, 0));
	fail_for(health, "google/c");
	assert_cooling(health, 10, 13);
}

static void a_wish_to_be_left_alone_is_met(void **state)
{
	static const struct {
		int64_t wish_s;
		unsigned least_s;
		unsigned most_s;
	} cases[] = {{1800, 1799, 1800}, {86400, 3599, 3600}, {INT64_MAX, 3599, 3600}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_HEALTH struct health *health = health_create(upstreams, 2);

		fail_once(health, cases[i].wish_s);
		assert_cooling(health, cases[i].least_s, cases[i].most_s);
	}
}

static void old_transfers_change_no_cool_down_but_by_success(void **state)
{
	AUTO_HEALTH struct health *health = health_create(upstreams, 2);
	int64_t before = metric_read(METRIC_UPSTREAM_COOLDOWNS);
	int64_t cooling = metric_read(METRIC_UPSTREAMS_COOLING);
	struct turn old = enter(health, 0);
	struct turn other = enter(health, 0);

	(void)state;
	fail_once(health, 60);
	health_note_ill(health, &old, NULL, 3000);
	health_leave(health, &old);
	assert_cooling(health, 59, 60);
	assert_int_equal(metric_read(METRIC_UPSTREAM_COOLDOWNS) - before, 1);
	health_note_well(health, &other);
	health_leave(health, &other);
	assert_false(health_is_cooling(health, 0));
	assert_int_equal(metric_read(METRIC_UPSTREAMS_COOLING), cooling);
}

static struct turn await_probe(struct health *health)
{
	struct err err = {0};
	struct turn turn;

	while (!health_enter(health, 0, 0, &never, &turn, &err))
		assert_int_equal(err.code, ERR_UPSTREAM_UNREACHABLE);
	assert_true(turn.is_probe);
	return turn;
}

static void one_probes_and_what_it_finds_counts(void **state)
{
	AUTO_HEALTH struct health *health = health_create(upstreams, 2);
	struct turn probe;

	(void)state;
	fail_once(health, 1);
	probe = await_probe(health);
	assert_cooling(health, 1, 1);
	/* One that found nothing leaves the probe to the next. */
	health_leave(health, &probe);
	probe = await_probe(health);
	health_note_ill(health, &probe, NULL, 0);
	health_leave(health, &probe);
	assert_cooling(health, 20, 25);
}

static void a_probe_that_is_answered_lets_all_in_at_once(void **state)
{
	AUTO_HEALTH struct health *health = health_create(upstreams, 2);
	struct turn probe;
	struct turn turn;

	(void)state;
	fail_once(health, 1);
	probe = await_probe(health);
	health_note_well(health, &probe);
	turn = enter(health, 0);
	assert_false(turn.is_probe);
	health_leave(health, &turn);
	health_leave(health, &probe);
}

static void turns_are_waited_for_with_patience_or_until_stopped(void **state)
{
	static const _Atomic bool stopped = true;
	AUTO_HEALTH struct health *health = health_create(upstreams, 2);
	struct turn turns[TURNS];
	struct err err = {0};
	struct turn turn;

	(void)state;
	for (size_t i = 0; i < TURNS; i++)
		turns[i] = enter(health, 0);
	assert_false(health_enter(health, 0, 0, &never, &turn, &err));
	assert_int_equal(err.code, ERR_BUSY);
	err = (struct err){0};
	assert_false(health_enter(health, 0, -1, &stopped, &turn, &err));
	assert_int_equal(err.code, ERR_BUSY);
	for (size_t i = 0; i < TURNS; i++)
		health_leave(health, &turns[i]);
	turn = enter(health, 0);
	health_leave(health, &turn);
}

struct crowd {
	struct health *health;
	_Atomic int inside;
	_Atomic int most;
};

static void *come_and_go(void *argument)
{
	struct crowd *crowd = argument;

	for (int i = 0; i < ROUNDS; i++) {
		struct err err;
		struct turn turn;
		int inside;

		if (!health_enter(crowd->health, 0, -1, &never, &turn, &err))
			return argument;
		inside = atomic_fetch_add(&crowd->inside, 1) + 1;
		if (inside > atomic_load(&crowd->most))
			atomic_store(&crowd->most, inside);
		health_note_well(crowd->health, &turn);
		(void)atomic_fetch_sub(&crowd->inside, 1);
		health_leave(crowd->health, &turn);
	}
	return NULL;
}

static void never_more_at_once_than_connections(void **state)
{
	AUTO_HEALTH struct health *health = health_create(upstreams, 2);
	struct crowd crowd = {.health = health};
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowd), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_in_range(atomic_load(&crowd.most), 1, TURNS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_failures_in_a_row_begin_a_cool_down),
		cmocka_unit_test(one_artifact_counts_once),
		cmocka_unit_test(a_wish_to_be_left_alone_is_met),
		cmocka_unit_test(old_transfers_change_no_cool_down_but_by_success),
		cmocka_unit_test(one_probes_and_what_it_finds_counts),
		cmocka_unit_test(a_probe_that_is_answered_lets_all_in_at_once),
		cmocka_unit_test(turns_are_waited_for_with_patience_or_until_stopped),
		cmocka_unit_test(never_more_at_once_than_connections),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
