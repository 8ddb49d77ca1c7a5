/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "server/metrics.h"
#include "server/registry/traffic.h"

enum { SLOT_MS = 1000 * TRAFFIC_SLOT_S, STEPS = 4000 };

static int64_t sum_of(const int64_t *slots)
{
	int64_t sum = 0;

	for (size_t i = 0; i < TRAFFIC_SLOTS; i++)
		sum += slots[i];
	return sum;
}

static void counts_from_its_making_on(void **state)
{
	struct traffic *traffic;
	struct traffic_day day;

	metric_add(METRIC_HITS, 5);
	traffic = traffic_create(0);
	traffic_read(traffic, 0, &day);
	assert_int_equal(sum_of(day.slots[TRAFFIC_HITS]), 0);
	metric_add(METRIC_HITS, 3);
	metric_add(METRIC_MISSES, 2);
	metric_add(METRIC_COLLAPSED, 4);
	traffic_read(traffic, 1, &day);
	assert_int_equal(day.slots[TRAFFIC_HITS][TRAFFIC_SLOTS - 1], 3);
	assert_int_equal(day.slots[TRAFFIC_MISSES][TRAFFIC_SLOTS - 1], 6);
	traffic_destroy(traffic);
}

/* What of a day is left is held against a plain list of all slots there ever were. */
static void whatever_the_steps_a_day_is_told(void **state)
{
	static int64_t all[STEPS * 60];

	for (unsigned round = 1; round <= 5; round++) {
		unsigned seed = round;
		struct traffic *traffic = traffic_create(0);
		struct traffic_day day;
		int64_t now_ms = 0;

		for (size_t i = 0; i < sizeof all / sizeof *all; i++)
			all[i] = 0;
		for (int step = 0; step < STEPS; step++) {
			int64_t amount = rand_r(&seed) % 1000;
			size_t slot;

			/* Mostly within a slot, at times over some, or over more than a day. */
			now_ms += rand_r(&seed) % (rand_r(&seed) % 50 == 0 ? 60 * SLOT_MS : SLOT_MS / 4);
			slot = (size_t)(now_ms / SLOT_MS);
			metric_add(METRIC_MODULE_BYTES, amount);
			all[slot] += amount;
			traffic_read(traffic, now_ms, &day);
			for (size_t ago = 0; ago < TRAFFIC_SLOTS; ago++)
				assert_int_equal(day.slots[TRAFFIC_SENT_BYTES][TRAFFIC_SLOTS - 1 - ago],
					ago <= slot ? all[slot - ago] : 0);
		}
		traffic_destroy(traffic);
	}
}

/* Whoever reads the clock first may come second. */
static void a_late_look_is_no_step_back(void **state)
{
	struct traffic *traffic = traffic_create(10 * (int64_t)SLOT_MS);
	struct traffic_day day;

	metric_add(METRIC_UPSTREAM_BYTES, 7);
	traffic_note(traffic, 12 * (int64_t)SLOT_MS);
	metric_add(METRIC_UPSTREAM_BYTES, 2);
	traffic_read(traffic, 9 * (int64_t)SLOT_MS, &day);
	assert_int_equal(day.slots[TRAFFIC_UPSTREAM_BYTES][TRAFFIC_SLOTS - 1], 9);
	traffic_destroy(traffic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_from_its_making_on),
		cmocka_unit_test(whatever_the_steps_a_day_is_told),
		cmocka_unit_test(a_late_look_is_no_step_back),
	};

	return cmocka_run_group_tests_name("traffic", tests, NULL, NULL);
}
