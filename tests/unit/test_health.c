/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
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
#include "server/store/catalog/catalog_cooldowns.h"
#include "tests/unit/store_place.h"

enum { THREADS = 8, ROUNDS = 200, TURNS = 3 };

static const _Atomic bool never = false;
static char far[] = "far";
static char near[] = "near";
static char url[] = "https://hub.example/{path}?{query}";
static const struct upstream upstreams[] = {
	{.name = far, .url = url, .max_connections = TURNS}, {.name = near, .url = url}};

static int open_place(void **state)
{
	struct place *place = mem_zero(1, sizeof *place);

	place_open(place);
	*state = place;
	return 0;
}

static int close_place(void **state)
{
	place_close(*state);
	free(*state);
	return 0;
}

static struct catalog *catalog_of(void **state)
{
	return ((struct place *)*state)->catalog;
}

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
	AUTO_HEALTH struct health *health = health_create(upstreams, 2, catalog_of(state));
	struct turn turn;

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
	AUTO_HEALTH struct health *health = health_create(upstreams, 2, catalog_of(state));

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

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char other[] = {(char)('a' + i), '\0'};
		const struct upstream one = {.name = other, .url = url};
		AUTO_HEALTH struct health *health = health_create(&one, 1, catalog_of(state));

		fail_once(health, cases[i].wish_s);
		assert_cooling(health, cases[i].least_s, cases[i].most_s);
	}
}

static void old_transfers_change_no_cool_down_but_by_success(void **state)
{
	AUTO_HEALTH struct health *health = health_create(upstreams, 2, catalog_of(state));
	int64_t before = metric_read(METRIC_UPSTREAM_COOLDOWNS);
	int64_t cooling = metric_read(METRIC_UPSTREAMS_COOLING);
	struct turn old = enter(health, 0);
	struct turn other = enter(health, 0);

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
	AUTO_HEALTH struct health *health = health_create(upstreams, 2, catalog_of(state));
	struct turn probe;

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
	AUTO_HEALTH struct health *health = health_create(upstreams, 2, catalog_of(state));
	struct turn probe;
	struct turn turn;

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
	AUTO_HEALTH struct health *health = health_create(upstreams, 2, catalog_of(state));
	struct turn turns[TURNS];
	struct err err = {0};
	struct turn turn;

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

/* Fills have their share of the turns and no more; whoever only asks has the rest. */
static void fills_leave_turns_to_others(void **state)
{
	AUTO_HEALTH struct health *health = health_create(upstreams, 2, catalog_of(state));
	struct turn fill;
	struct turn other;
	struct turn question;
	struct err err = {0};

	health_share(health, 1);
	assert_true(health_await(health, 0, 0, &never, &err));
	assert_true(health_try(health, 0, &fill, &err));
	assert_false(health_try(health, 0, &other, &err));
	assert_int_equal(err.code, ERR_BUSY);
	assert_false(health_await(health, 0, 0, &never, &err));
	assert_int_equal(err.code, ERR_BUSY);
	assert_true(health_try(health, 1, &other, &err));
	question = enter(health, 0);
	health_leave(health, &question);
	assert_false(health_try(health, 0, &question, &err));
	health_leave(health, &fill);
	assert_true(health_await(health, 0, -1, &never, &err));
	assert_true(health_try(health, 0, &fill, &err));
	health_leave(health, &fill);
	health_leave(health, &other);
}

/* ---- over a restart ---- */

static void the_next_process_knows_of_a_cool_down(void **state)
{
	AUTO_HEALTH struct health *before = health_create(upstreams, 2, catalog_of(state));
	int64_t cooling = metric_read(METRIC_UPSTREAMS_COOLING);

	fail_once(before, 1800);
	AUTO_HEALTH struct health *after = health_create(upstreams, 2, catalog_of(state));
	assert_cooling(after, 1795, 1800);
	assert_false(health_is_cooling(after, 1));
	assert_int_equal(metric_read(METRIC_UPSTREAMS_COOLING) - cooling, 2);
}

static void the_next_process_goes_on_counting(void **state)
{
	AUTO_HEALTH struct health *before = health_create(upstreams, 2, catalog_of(state));
	struct turn probe;

	for (int i = 0; i < 3; i++)
		fail_once(before, i == 2 ? 2 : 0);
	AUTO_HEALTH struct health *after = health_create(upstreams, 2, catalog_of(state));
	probe = await_probe(after);
	health_note_ill(after, &probe, NULL, 0);
	health_leave(after, &probe);
	assert_cooling(after, 20, 25);
	AUTO_HEALTH struct health *last = health_create(upstreams, 2, catalog_of(state));
	assert_cooling(last, 19, 26);
}

static void what_has_ended_is_forgotten(void **state)
{
	AUTO_HEALTH struct health *before = health_create(upstreams, 2, catalog_of(state));
	struct turn old = enter(before, 0);

	fail_once(before, 1800);
	health_note_well(before, &old);
	health_leave(before, &old);
	AUTO_HEALTH struct health *after = health_create(upstreams, 2, catalog_of(state));
	assert_false(health_is_cooling(after, 0));
}

static void another_configuration_is_another_upstream(void **state)
{
	static char elsewhere[] = "https://mirror.example/{path}?{query}";
	static char file[] = "/etc/larder.pem";
	static const struct {
		struct upstream upstream;
		bool same;
	} cases[] = {
		{{.name = far, .url = url}, true},
		{{.name = far, .url = url, .max_connections = 1, .rate_bytes_per_s = 1024}, true},
		{{.name = near, .url = url}, false},
		{{.name = far, .url = elsewhere}, false},
		{{.name = far, .url = url, .ca_file = file}, false},
		{{.name = far, .url = url, .bearer_token_file = file}, false},
	};
	AUTO_HEALTH struct health *before = health_create(upstreams, 2, catalog_of(state));

	fail_once(before, 1800);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_HEALTH struct health *after = health_create(&cases[i].upstream, 1, catalog_of(state));

		assert_int_equal(health_is_cooling(after, 0), cases[i].same);
	}
}

static struct digest identity(void **state, int64_t until_s, int64_t now_s)
{
	const struct cooldown cooldown = {digest_of(&until_s, sizeof until_s), 1, until_s};
	struct err err = {0};

	if (!catalog_note_cooldown(catalog_of(state), &cooldown, now_s, &err))
		fail_msg("%s", err.text);
	return cooldown.upstream;
}

/* Rows that nobody looks for go when their time has come. */
static void rows_that_are_over_go(void **state)
{
	const struct digest first = identity(state, 200, 100);
	const struct digest second = identity(state, 300, 200);
	struct err err = {0};
	struct cooldown row;
	bool found;

	assert_true(catalog_has_cooldowns(catalog_of(state), 299, &found, &err));
	assert_true(found);
	assert_true(catalog_has_cooldowns(catalog_of(state), 300, &found, &err));
	assert_false(found);
	assert_true(catalog_find_cooldown(catalog_of(state), &first, 0, &row, &found, &err));
	assert_false(found);
	assert_true(catalog_find_cooldown(catalog_of(state), &second, 299, &row, &found, &err));
	assert_true(found);
	assert_int_equal(row.until_s, 300);
	assert_true(catalog_find_cooldown(catalog_of(state), &second, 300, &row, &found, &err));
	assert_false(found);
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
	AUTO_HEALTH struct health *health = health_create(upstreams, 2, catalog_of(state));
	struct crowd crowd = {.health = health};
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowd), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_in_range(atomic_load(&crowd.most), 1, TURNS);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_place, close_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(three_failures_in_a_row_begin_a_cool_down),
		TEST(one_artifact_counts_once),
		TEST(a_wish_to_be_left_alone_is_met),
		TEST(old_transfers_change_no_cool_down_but_by_success),
		TEST(one_probes_and_what_it_finds_counts),
		TEST(a_probe_that_is_answered_lets_all_in_at_once),
		TEST(turns_are_waited_for_with_patience_or_until_stopped),
		TEST(fills_leave_turns_to_others),
		TEST(the_next_process_knows_of_a_cool_down),
		TEST(the_next_process_goes_on_counting),
		TEST(what_has_ended_is_forgotten),
		TEST(another_configuration_is_another_upstream),
		TEST(rows_that_are_over_go),
		TEST(never_more_at_once_than_connections),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
