/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "server/metrics.h"
#include "server/registry/inspector.h"
#include "tests/unit/store_place.h"

static const struct archive_limits limits = {
	.max_unpacked_bytes = 64 << 20, .max_members = 1000, .max_ratio = 200};

static _Atomic int threads_left = INT32_MAX; /* that the system gives */

/* In place of the C library's, or of a sanitizer's. */
int pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *argument), void *argument)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
		dlsym(RTLD_NEXT, "pthread_create");

	return atomic_fetch_sub(&threads_left, 1) > 0 ? create(thread, attributes, run, argument) : EAGAIN;
}

static struct inspection_places *places;

static int set_up(void **state)
{
	places = inspection_places_create(60 * 1000);
	struct place *place = mem_zero(1, sizeof *place);

	place_open(place);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	place_close(*state);
	free(*state);
	inspection_places_destroy(TAKE(places));
	return 0;
}

static struct spool *begin(struct place *place)
{
	struct spool *spool = NULL;
	struct err err = {0};

	if (!blobs_begin(place->blobs, &spool, &err))
		fail_msg("%s", err.text);
	return spool;
}

static struct inspector *inspect(struct spool *spool)
{
	struct inspector *inspector = NULL;
	struct err err = {0};

	if (!inspector_start(spool, FORMAT_TF_HUB, &limits, places, &inspector, &err))
		fail_msg("%s", err.text);
	return inspector;
}

/* In pieces, as it comes from a socket. */
static void append(struct spool *spool, const struct buffer *bytes, size_t step)
{
	for (size_t at = 0; at < bytes->length; at += step) {
		size_t left = bytes->length - at;
		struct err err = {0};

		if (!spool_append(spool, bytes->data + at, left < step ? left : step, &err))
			fail_msg("%s", err.text);
	}
}

static void examines_what_arrives(void **state)
{
	static const size_t steps[] = {1 << 20, 4096, 977};
	AUTO_BUFFER struct buffer module = {0};

	make_module(&module, 300 << 10, 1);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		AUTO_SPOOL struct spool *spool = begin(*state);
		AUTO_INSPECTION struct inspection inspection = {0};
		struct inspector *inspector = inspect(spool);
		struct digest digest = digest_of(module.data, module.length);
		struct err err = {0};

		append(spool, &module, steps[i]);
		spool_complete(spool);
		if (!inspector_wait(inspector, &inspection, &err))
			fail_msg("%s", err.text);
		assert_false(inspector_has_given_up(inspector));
		inspector_destroy(inspector);
		assert_true(inspection.whole);
		assert_int_equal(inspection.size_bytes, module.length);
		assert_true(digest_equal(&inspection.checksums.sha256, &digest));
		assert_int_equal(inspection.examination->finding_count, 0);
		assert_int_equal(inspection.examination->file_count, 2);
		assert_int_equal(inspection.examination->unpacked_bytes, 4 + (300 << 10));
	}
}

static void ends_when_the_spool_is_refused(void **state)
{
	AUTO_SPOOL struct spool *spool = begin(*state);
	AUTO_BUFFER struct buffer module = {0};
	struct inspector *inspector = inspect(spool);
	const struct err refusal = {.code = ERR_BUSY, .text = "no more"};
	struct inspection inspection = {0};
	struct err err = {0};

	make_module(&module, 100 << 10, 1);
	module.length /= 2;
	append(spool, &module, 4096);
	spool_refuse(spool, &refusal);
	assert_false(inspector_wait(inspector, &inspection, &err));
	assert_int_equal(err.code, ERR_BUSY);
	assert_null(inspection.examination);
	inspector_destroy(inspector);
}

static void judges_a_cut_module(void **state)
{
	AUTO_SPOOL struct spool *spool = begin(*state);
	AUTO_BUFFER struct buffer module = {0};
	AUTO_INSPECTION struct inspection inspection = {0};
	struct inspector *inspector = inspect(spool);
	struct err err = {0};

	make_module(&module, 100 << 10, 1);
	module.length /= 2;
	append(spool, &module, 4096);
	spool_complete(spool);
	assert_true(inspector_wait(inspector, &inspection, &err));
	assert_true(inspection.whole);
	assert_int_equal(inspection.size_bytes, module.length);
	assert_true(examination_count(inspection.examination, SEVERITY_VIOLATION) > 0);
	inspector_destroy(inspector);
}

/* Whoever sends waits until he is not too far ahead, as uploads do. */
static void append_in_step(struct spool *spool, const struct buffer *bytes)
{
	enum { STEP = 64 << 10 };

	for (size_t at = 0; at < bytes->length; at += STEP) {
		const struct buffer part = {.data = bytes->data + at,
			.length = bytes->length - at < STEP ? bytes->length - at : STEP};

		while (spool_await_readers(spool, NULL))
			(void)sched_yield();
		append(spool, &part, STEP);
	}
}

static void one_thread_does_it_too(void **state)
{
	static const size_t sizes[] = {1000, LEAD_FIRST_BYTES - 1000, 3 * LEAD_FIRST_BYTES};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		AUTO_BUFFER struct buffer module = {0};
		AUTO_SPOOL struct spool *spool = begin(*state);
		AUTO_INSPECTION struct inspection inspection = {0};
		struct inspector *inspector;
		struct digest digest;
		struct err err = {0};

		make_module(&module, sizes[i], 1);
		digest = digest_of(module.data, module.length);
		atomic_store(&threads_left, 1);
		inspector = inspect(spool);
		append_in_step(spool, &module);
		spool_complete(spool);
		if (!inspector_wait(inspector, &inspection, &err))
			fail_msg("%s", err.text);
		inspector_destroy(inspector);
		atomic_store(&threads_left, INT32_MAX);
		assert_true(inspection.whole && inspection.examination->finding_count == 0);
		assert_true(digest_equal(&inspection.checksums.sha256, &digest));
	}
}

static void await_giving_up(struct inspector *inspector)
{
	while (!inspector_has_given_up(inspector))
		(void)sched_yield();
}

/* Whoever sends much nonsense is stopped while he sends it: the spool grows still. */
static void gives_up_early_on_hostile_bytes(void **state)
{
	AUTO_SPOOL struct spool *spool = begin(*state);
	AUTO_BUFFER struct buffer nonsense = {0};
	AUTO_INSPECTION struct inspection inspection = {0};
	struct inspector *inspector = inspect(spool);
	struct digest digest;
	struct err err = {0};

	add_noise(&nonsense, INSPECTION_SMALL_BYTES + (100 << 10), 1);
	append(spool, &nonsense, 4096);
	await_giving_up(inspector);
	/* What comes all the same is hashed: a declared digest is judged by it. */
	append(spool, &nonsense, 4096);
	spool_complete(spool);
	assert_true(inspector_wait(inspector, &inspection, &err));
	inspector_destroy(inspector);
	assert_true(inspection.whole);
	add_noise(&nonsense, INSPECTION_SMALL_BYTES + (100 << 10), 1);
	digest = digest_of(nonsense.data, nonsense.length);
	assert_true(digest_equal(&inspection.checksums.sha256, &digest));
	assert_string_equal(inspection.examination->findings[0].rule, "gzip-broken");
}

/* The findings are there though the rest never came. */
static void keeps_its_findings_when_refused_later(void **state)
{
	AUTO_SPOOL struct spool *spool = begin(*state);
	AUTO_BUFFER struct buffer nonsense = {0};
	AUTO_INSPECTION struct inspection inspection = {0};
	struct inspector *inspector = inspect(spool);
	const struct err refusal = {.code = ERR_BUSY, .text = "no more"};
	struct err err = {0};

	add_noise(&nonsense, INSPECTION_SMALL_BYTES + (100 << 10), 1);
	append(spool, &nonsense, 4096);
	await_giving_up(inspector);
	spool_refuse(spool, &refusal);
	assert_true(inspector_wait(inspector, &inspection, &err));
	inspector_destroy(inspector);
	assert_false(inspection.whole);
	assert_true(examination_count(inspection.examination, SEVERITY_VIOLATION) > 0);
}

static void need_not_be_waited_for(void **state)
{
	AUTO_SPOOL struct spool *spool = begin(*state);
	AUTO_BUFFER struct buffer module = {0};
	struct inspector *inspector = inspect(spool);

	make_module(&module, 1 << 10, 1);
	append(spool, &module, 4096);
	spool_complete(spool);
	inspector_destroy(inspector);
	inspector_destroy(NULL);
}

/* ---- places ---- */

struct guest {
	pthread_t thread;
	_Atomic bool inside;
};

static void *enter_and_leave(void *argument)
{
	struct guest *guest = argument;
	struct err err;

	if (inspection_places_enter(places, &err)) {
		atomic_store(&guest->inside, true);
		inspection_places_leave(places);
	}
	return NULL;
}

static void await_line(int64_t length)
{
	while (metric_read(METRIC_INSPECTIONS_WAITING) != length)
		(void)sched_yield();
}

static void take_all(struct inspection_places *all)
{
	struct err err;

	for (int i = 0; i < INSPECTION_PLACES; i++)
		assert_true(inspection_places_enter(all, &err));
}

static void who_finds_no_place_waits_for_one(void **state)
{
	struct guest guest = {0};

	(void)state;
	take_all(places);
	assert_int_equal(pthread_create(&guest.thread, NULL, enter_and_leave, &guest), 0);
	await_line(1);
	assert_false(atomic_load(&guest.inside));
	for (int i = 0; i < INSPECTION_PLACES; i++)
		inspection_places_leave(places);
	assert_int_equal(pthread_join(guest.thread, NULL), 0);
	assert_true(atomic_load(&guest.inside));
	await_line(0);
}

/* Never more are examined at once, however slow the machine is: what they list takes memory. */
static void who_waits_in_vain_is_refused(void **state)
{
	AUTO_INSPECTION_PLACES struct inspection_places *impatient = inspection_places_create(10);
	AUTO_SPOOL struct spool *spool = begin(*state);
	AUTO_BUFFER struct buffer module = {0};
	struct inspection inspection = {0};
	struct inspector *inspector = NULL;
	struct err err = {0};

	take_all(impatient);
	assert_true(inspector_start(spool, FORMAT_TF_HUB, &limits, impatient, &inspector, &err));
	make_module(&module, 1 << 10, 1);
	append(spool, &module, 4096);
	spool_complete(spool);
	assert_false(inspector_wait(inspector, &inspection, &err));
	assert_int_equal(err.code, ERR_BUSY);
	assert_null(inspection.examination);
	inspector_destroy(inspector);
	for (int i = 0; i < INSPECTION_PLACES; i++)
		inspection_places_leave(impatient);
}

/* A body that stands still, however small, is in nobody's way; one that is there takes its turn. */
static void a_slow_pace_holds_no_place(void **state)
{
	AUTO_SPOOL struct spool *slow = begin(*state);
	AUTO_SPOOL struct spool *whole = begin(*state);
	AUTO_BUFFER struct buffer module = {0};
	AUTO_INSPECTION struct inspection inspection = {0};
	struct inspector *first = inspect(slow);
	struct inspector *second = inspect(whole);
	const struct err refusal = {.code = ERR_BUSY, .text = "no more"};
	struct err err;

	take_all(places);
	make_module(&module, 1 << 10, 1);
	assert_true(spool_append(slow, module.data, module.length / 2, &err));
	append(whole, &module, 4096);
	spool_complete(whole);
	await_line(1);
	inspection_places_leave(places);
	assert_true(inspector_wait(second, &inspection, &err));
	assert_null(inspection.place);
	inspector_destroy(second);
	spool_refuse(slow, &refusal);
	inspector_destroy(first);
	for (int i = 1; i < INSPECTION_PLACES; i++)
		inspection_places_leave(places);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(examines_what_arrives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ends_when_the_spool_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(judges_a_cut_module, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_thread_does_it_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gives_up_early_on_hostile_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_its_findings_when_refused_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(need_not_be_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_finds_no_place_waits_for_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_waits_in_vain_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_slow_pace_holds_no_place, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("inspector", tests, NULL, NULL);
}
