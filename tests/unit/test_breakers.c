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
#include "server/registry/breakers.h"
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

static struct turn enter(struct breakers *breakers, size_t upstream)
{
	struct err err = {0};
	struct turn turn;

	if (!breakers_enter(breakers, upstream, 0, &never, &turn, &err))
		fail_msg("%s", err.text);
	return turn;
}

static void fail_once(struct breakers *breakers, int64_t retry_after_s)
{
	struct turn turn = enter(breakers, 0);

	breakers_note_failure(breakers, &turn, NULL, retry_after_s);
	breakers_leave(breakers, &turn);
}

static void assert_cooling(struct breakers *breakers, unsigned least_s, unsigned most_s)
{
	struct err err = {0};
	struct turn turn;

	assert_true(breakers_is_cooling(breakers, 0));
	assert_false(breakers_enter(breakers, 0, 0, &never, &turn, &err));
	assert_int_equal(err.code, ERR_UPSTREAM_UNREACHABLE);
	assert_in_range(err.retry_after_s, least_s, most_s);
	assert_non_null(strstr(err.text, "circuit breaker is open"));
}

static void three_failures_in_a_row_begin_a_cool_down(void **state)
{
	AUTO_BREAKERS struct breakers *breakers = breakers_create(upstreams, 2, catalog_of(state));
	struct turn turn;

	fail_once(breakers, 0);
	fail_once(breakers, 0);
	turn = enter(breakers, 0);
	breakers_note_success(breakers, &turn);
	breakers_leave(breakers, &turn);
	fail_once(breakers, 0);
	fail_once(breakers, 0);
	assert_false(breakers_is_cooling(breakers, 0));
	fail_once(breakers, 0);
	assert_cooling(breakers, 10, 13);
	/* The other one is not concerned. */
	assert_false(breakers_is_cooling(breakers, 1));
	turn = enter(breakers, 1);
	breakers_leave(breakers, &turn);
}

static void fail_for(struct breakers *breakers, const char *handle)
{
	struct turn turn = enter(breakers, 0);
	struct name wanted = {.version = 1};

	(void)strcpy(wanted.handle, handle);
	breakers_note_failure(breakers, &turn, &wanted, 0);
	breakers_leave(breakers, &turn);
}

static void one_artifact_counts_once(void **state)
{
	AUTO_BREAKERS struct breakers *breakers = breakers_create(upstreams, 2, catalog_of(state));

	for (int i = 0; i < 10; i++)
		fail_for(breakers, "google/a");
	fail_for(breakers, "google/b");
	fail_for(breakers, "google/a");
	assert_false(breakers_is_cooling(breakers, 0));
	fail_for(breakers, "google/c");
	assert_cooling(breakers, 10, 13);
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
		AUTO_BREAKERS struct breakers *breakers = breakers_create(&one, 1, catalog_of(state));

		fail_once(breakers, cases[i].wish_s);
		assert_cooling(breakers, cases[i].least_s, cases[i].most_s);
	}
}

static void old_transfers_change_no_cool_down_but_by_success(void **state)
{
	AUTO_BREAKERS struct breakers *breakers = breakers_create(upstreams, 2, catalog_of(state));
	int64_t before = metric_read(METRIC_UPSTREAM_COOLDOWNS);
	int64_t cooling = metric_read(METRIC_UPSTREAMS_COOLING);
	struct turn old = enter(breakers, 0);
	struct turn other = enter(breakers, 0);

	fail_once(breakers, 60);
	breakers_note_failure(breakers, &old, NULL, 3000);
	breakers_leave(breakers, &old);
	assert_cooling(breakers, 59, 60);
	assert_int_equal(metric_read(METRIC_UPSTREAM_COOLDOWNS) - before, 1);
	breakers_note_success(breakers, &other);
	breakers_leave(breakers, &other);
	assert_false(breakers_is_cooling(breakers, 0));
	assert_int_equal(metric_read(METRIC_UPSTREAMS_COOLING), cooling);
}

static struct turn await_probe(struct breakers *breakers)
{
	struct err err = {0};
	struct turn turn;

	while (!breakers_enter(breakers, 0, 0, &never, &turn, &err))
		assert_int_equal(err.code, ERR_UPSTREAM_UNREACHABLE);
	assert_true(turn.is_probe);
	return turn;
}

static void one_probes_and_what_it_finds_counts(void **state)
{
	AUTO_BREAKERS struct breakers *breakers = breakers_create(upstreams, 2, catalog_of(state));
	struct turn probe;

	fail_once(breakers, 1);
	probe = await_probe(breakers);
	assert_cooling(breakers, 1, 1);
	/* One that found nothing leaves the probe to the next. */
	breakers_leave(breakers, &probe);
	probe = await_probe(breakers);
	breakers_note_failure(breakers, &probe, NULL, 0);
	breakers_leave(breakers, &probe);
	assert_cooling(breakers, 20, 25);
}

static void a_probe_that_is_answered_lets_all_in_at_once(void **state)
{
	AUTO_BREAKERS struct breakers *breakers = breakers_create(upstreams, 2, catalog_of(state));
	struct turn probe;
	struct turn turn;

	fail_once(breakers, 1);
	probe = await_probe(breakers);
	breakers_note_success(breakers, &probe);
	turn = enter(breakers, 0);
	assert_false(turn.is_probe);
	breakers_leave(breakers, &turn);
	breakers_leave(breakers, &probe);
}

static void turns_are_waited_for_with_patience_or_until_stopped(void **state)
{
	static const _Atomic bool stopped = true;
	AUTO_BREAKERS struct breakers *breakers = breakers_create(upstreams, 2, catalog_of(state));
	struct turn turns[TURNS];
	struct err err = {0};
	struct turn turn;

	for (size_t i = 0; i < TURNS; i++)
		turns[i] = enter(breakers, 0);
	assert_false(breakers_enter(breakers, 0, 0, &never, &turn, &err));
	assert_int_equal(err.code, ERR_BUSY);
	err = (struct err){0};
	assert_false(breakers_enter(breakers, 0, -1, &stopped, &turn, &err));
	assert_int_equal(err.code, ERR_BUSY);
	for (size_t i = 0; i < TURNS; i++)
		breakers_leave(breakers, &turns[i]);
	turn = enter(breakers, 0);
	breakers_leave(breakers, &turn);
}

/* Fills have their share of the turns and no more; whoever only asks has the rest. */
static void fills_leave_turns_to_others(void **state)
{
	AUTO_BREAKERS struct breakers *breakers = breakers_create(upstreams, 2, catalog_of(state));
	struct turn fill;
	struct turn other;
	struct turn question;
	struct err err = {0};

	breakers_share(breakers, 1);
	assert_true(breakers_await(breakers, 0, 0, &never, &err));
	assert_true(breakers_try(breakers, 0, &fill, &err));
	assert_false(breakers_try(breakers, 0, &other, &err));
	assert_int_equal(err.code, ERR_BUSY);
	assert_false(breakers_await(breakers, 0, 0, &never, &err));
	assert_int_equal(err.code, ERR_BUSY);
	assert_true(breakers_try(breakers, 1, &other, &err));
	question = enter(breakers, 0);
	breakers_leave(breakers, &question);
	assert_false(breakers_try(breakers, 0, &question, &err));
	breakers_leave(breakers, &fill);
	assert_true(breakers_await(breakers, 0, -1, &never, &err));
	assert_true(breakers_try(breakers, 0, &fill, &err));
	breakers_leave(breakers, &fill);
	breakers_leave(breakers, &other);
}

/* ---- over a restart ---- */

static void the_next_process_knows_of_a_cool_down(void **state)
{
	AUTO_BREAKERS struct breakers *before = breakers_create(upstreams, 2, catalog_of(state));
	int64_t cooling = metric_read(METRIC_UPSTREAMS_COOLING);

	fail_once(before, 1800);
	AUTO_BREAKERS struct breakers *after = breakers_create(upstreams, 2, catalog_of(state));
	assert_cooling(after, 1795, 1800);
	assert_false(breakers_is_cooling(after, 1));
	assert_int_equal(metric_read(METRIC_UPSTREAMS_COOLING) - cooling, 2);
}

static void the_next_process_goes_on_counting(void **state)
{
	AUTO_BREAKERS struct breakers *before = breakers_create(upstreams, 2, catalog_of(state));
	struct turn probe;

	for (int i = 0; i < 3; i++)
		fail_once(before, i == 2 ? 2 : 0);
	AUTO_BREAKERS struct breakers *after = breakers_create(upstreams, 2, catalog_of(state));
	probe = await_probe(after);
	breakers_note_failure(after, &probe, NULL, 0);
	breakers_leave(after, &probe);
	assert_cooling(after, 20, 25);
	AUTO_BREAKERS struct breakers *last = breakers_create(upstreams, 2, catalog_of(state));
	assert_cooling(last, 19, 26);
}

static void what_has_ended_is_forgotten(void **state)
{
	AUTO_BREAKERS struct breakers *before = breakers_create(upstreams, 2, catalog_of(state));
	struct turn old = enter(before, 0);

	fail_once(before, 1800);
	breakers_note_success(before, &old);
	breakers_leave(before, &old);
	AUTO_BREAKERS struct breakers *after = breakers_create(upstreams, 2, catalog_of(state));
	assert_false(breakers_is_cooling(after, 0));
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
		{{.name = far, .url = url, .basic_file = file}, false},
		{{.name = far, .url = url, .header_file = file}, false},
		{{.name = far, .url = url, .credentials_file = file}, false},
		{{.name = far, .url = url, .proxy = file}, false},
	};
	AUTO_BREAKERS struct breakers *before = breakers_create(upstreams, 2, catalog_of(state));

	fail_once(before, 1800);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_BREAKERS struct breakers *after =
			breakers_create(&cases[i].upstream, 1, catalog_of(state));

		assert_int_equal(breakers_is_cooling(after, 0), cases[i].same);
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
	struct breakers *breakers;
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

		if (!breakers_enter(crowd->breakers, 0, -1, &never, &turn, &err))
			return argument;
		inside = atomic_fetch_add(&crowd->inside, 1) + 1;
		if (inside > atomic_load(&crowd->most))
			atomic_store(&crowd->most, inside);
		breakers_note_success(crowd->breakers, &turn);
		(void)atomic_fetch_sub(&crowd->inside, 1);
		breakers_leave(crowd->breakers, &turn);
	}
	return NULL;
}

static void never_more_at_once_than_connections(void **state)
{
	AUTO_BREAKERS struct breakers *breakers = breakers_create(upstreams, 2, catalog_of(state));
	struct crowd crowd = {.breakers = breakers};
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

	return cmocka_run_group_tests_name("breakers", tests, NULL, NULL);
}
