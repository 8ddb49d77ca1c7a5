/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "common/clock.h"
#include "server/registry/download_counters.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_keep.h"
#include "tests/unit/store_place.h"

enum { COUNTERS = 4, ROUNDS = 200, MANY = 200 };

static _Atomic int syncs;
static _Atomic bool fails; /* the disk, once */

/* In place of the C library's, for SQLite: how often somebody waits for the disk. */
int fdatasync(int fd)
{
	atomic_fetch_add(&syncs, 1);
	errno = EIO;
	return atomic_exchange(&fails, false) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static int set_up(void **state)
{
	struct place *place = mem_zero(1, sizeof *place);

	place_open(place);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	place_close(*state);
	free(*state);
	return 0;
}

static void record(struct place *place, const struct name *name)
{
	struct examination examination = {.format = name->format};
	struct checksums checksums = {.sha256 = digest_of(name, sizeof *name)};
	const struct keeping keeping = {.name = name,
		.source = SOURCE_MIRRORED,
		.upstream = "hub",
		.checksums = &checksums,
		.size_bytes = 5,
		.examination = &examination,
		.now_s = 1700000000};
	enum kept kept;
	struct err err = {0};

	if (!catalog_keep(place->catalog, &keeping, &kept, &err))
		fail_msg("%s", err.text);
}

static struct download_counters *create(struct place *place)
{
	struct download_counters *counters = NULL;
	struct err err = {0};

	if (!download_counters_create(place->catalog, &counters, &err))
		fail_msg("%s", err.text);
	return counters;
}

static void writes_what_is_left(void **state)
{
	struct place *place = *state;
	const struct name names[] = {
		name_of("acme/x", 1, FORMAT_TF_HUB),
		name_of("acme/x", 1, FORMAT_TFLITE),
		name_of("acme/x", 2, FORMAT_TF_HUB),
		name_of("acme/y", 1, FORMAT_TF_HUB),
	};
	struct download_counters *counters = create(place);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		record(place, &names[i]);
	/* The last one not at all, the one before it once, and so on. */
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		for (size_t times = i + 1; times < sizeof names / sizeof *names; times++)
			download_counters_count(counters, &names[i]);
	}
	download_counters_destroy(counters);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(place_find(place, &names[i]).downloads, 3 - i);
}

struct counting {
	struct download_counters *counters;
	pthread_t thread;
};

static void *count_often(void *argument)
{
	const struct counting *counter = argument;

	for (int i = 0; i < ROUNDS; i++) {
		const struct name name = name_of("acme/x", 1 + i % 2, FORMAT_TF_HUB);

		download_counters_count(counter->counters, &name);
	}
	return NULL;
}

static void counts_for_many_threads(void **state)
{
	struct place *place = *state;
	const struct name first = name_of("acme/x", 1, FORMAT_TF_HUB);
	const struct name second = name_of("acme/x", 2, FORMAT_TF_HUB);
	struct download_counters *counters = create(place);
	struct counting threads[COUNTERS];

	record(place, &first);
	record(place, &second);
	for (int i = 0; i < COUNTERS; i++) {
		threads[i].counters = counters;
		assert_int_equal(pthread_create(&threads[i].thread, NULL, count_often, &threads[i]), 0);
	}
	for (int i = 0; i < COUNTERS; i++)
		assert_int_equal(pthread_join(threads[i].thread, NULL), 0);
	download_counters_destroy(counters);
	assert_int_equal(place_find(place, &first).downloads, COUNTERS * ROUNDS / 2);
	assert_int_equal(place_find(place, &second).downloads, COUNTERS * ROUNDS / 2);
}

static void adds_to_what_was_counted_before(void **state)
{
	struct place *place = *state;
	const struct name name = name_of("acme/x", 1, FORMAT_TF_HUB);

	record(place, &name);
	for (int i = 0; i < 2; i++) {
		struct download_counters *counters = create(place);

		download_counters_count(counters, &name);
		download_counters_destroy(counters);
	}
	assert_int_equal(place_find(place, &name).downloads, 2);
}

/* Anybody may download many, and publishing waits for the same disk. */
static void writes_many_together(void **state)
{
	struct place *place = *state;
	struct download_counters *counters = create(place);
	int before;

	for (int i = 1; i <= MANY; i++) {
		const struct name name = name_of("acme/many", i, FORMAT_TF_HUB);

		record(place, &name);
		for (int times = 0; times < i % 3; times++)
			download_counters_count(counters, &name);
	}
	before = atomic_load(&syncs);
	download_counters_destroy(counters);
	assert_in_range(atomic_load(&syncs) - before, 1, 8);
	for (int i = 1; i <= MANY; i++) {
		const struct name name = name_of("acme/many", i, FORMAT_TF_HUB);

		assert_int_equal(place_find(place, &name).downloads, i % 3);
	}
}

/* What another process, or the disk, has kept from being written. */
static void writes_later_what_could_not_be_written(void **state)
{
	struct place *place = *state;
	const struct name name = name_of("acme/x", 1, FORMAT_TF_HUB);
	struct download_counters *counters;

	record(place, &name);
	counters = create(place);
	atomic_store(&fails, true);
	download_counters_count(counters, &name);
	while (atomic_load(&fails))
		clock_sleep_ms(20);
	download_counters_count(counters, &name);
	download_counters_destroy(counters);
	assert_int_equal(place_find(place, &name).downloads, 2);
}

/* A version that nobody knows any more stops no other's count. */
static void passes_over_the_unknown(void **state)
{
	struct place *place = *state;
	const struct name known = name_of("acme/x", 1, FORMAT_TF_HUB);
	const struct name unknown = name_of("acme/gone", 1, FORMAT_TF_HUB);
	struct download_counters *counters = create(place);

	record(place, &known);
	download_counters_count(counters, &unknown);
	download_counters_count(counters, &known);
	download_counters_destroy(counters);
	assert_int_equal(place_find(place, &known).downloads, 1);
	assert_int_equal(place_find(place, &unknown).state, STATE_COUNT);
}

static void ends_with_nothing_counted(void **state)
{
	download_counters_destroy(create(*state));
	download_counters_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_what_is_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(counts_for_many_threads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(adds_to_what_was_counted_before, set_up, tear_down),
		cmocka_unit_test_setup_teardown(writes_many_together, set_up, tear_down),
		cmocka_unit_test_setup_teardown(writes_later_what_could_not_be_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(passes_over_the_unknown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ends_with_nothing_counted, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
