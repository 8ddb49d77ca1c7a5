/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "common/clock.h"
#include "server/registry/space.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/vault/vault_alone.h"
#include "tests/unit/store_place.h"

enum { UNIT = 100000, THREADS = 16, ROUNDS = 20 };

struct house {
	struct place place;
	struct committer *committer;
	struct space *space;
	_Atomic bool stop;
};

static void use_limits(struct house *house, int64_t max_bytes, int64_t keep_free_bytes)
{
	const struct space_limits limits = {max_bytes, keep_free_bytes};

	space_destroy(house->space);
	house->space =
		space_create(&limits, house->place.catalog, house->place.blobs, house->committer, NULL, 0);
}

static int set_up(void **state)
{
	struct house *house = mem_zero(1, sizeof *house);

	place_open(&house->place);
	house->committer = committer_create(house->place.catalog, house->place.blobs, NULL, vault_alone());
	use_limits(house, 10 * UNIT, 0);
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;

	space_destroy(house->space);
	committer_destroy(house->committer);
	place_close(&house->place);
	free(house);
	return 0;
}

/* Keeps a blob of one unit under a name; the same seed gives the same bytes. */
static struct digest keep(struct house *house, const char *handle, enum version_source source, uint32_t seed)
{
	const struct name name = name_of(handle, 1, FORMAT_TFLITE);
	const struct origin origin = {.source = source, .who = "somebody"};
	struct examination examination = {.unpacked_bytes = UNIT, .file_count = 1};
	struct inspection inspection = {.whole = true, .size_bytes = UNIT, .examination = &examination};
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_SPOOL struct spool *spool = NULL;
	struct err err = {0};
	enum kept kept;

	add_noise(&bytes, UNIT, seed);
	inspection.checksums.sha256 = digest_of(bytes.data, bytes.length);
	if (!blobs_begin(house->place.blobs, &spool, &err) ||
		!spool_append(spool, bytes.data, bytes.length, &err))
		fail_msg("%s", err.text);
	spool_complete(spool);
	if (!committer_commit(
		    house->committer, spool, &name, &origin, DEPOSITED_NEW, &inspection, &kept, &err))
		fail_msg("%s", err.text);
	return inspection.checksums.sha256;
}

static void use(struct house *house, const char *handle, int64_t at_s)
{
	const struct name name = name_of(handle, 1, FORMAT_TFLITE);
	struct err err;

	assert_true(
		catalog_count_downloads(house->place.catalog, &(struct downloads){name, 1, at_s}, 1, &err));
}

static bool is_cached(struct house *house, const char *handle)
{
	const struct name name = name_of(handle, 1, FORMAT_TFLITE);

	return place_find(&house->place, &name).cached;
}

static int64_t mirrored_bytes(struct house *house)
{
	struct err err;
	int64_t bytes = -1;

	assert_true(catalog_mirrored_bytes(house->place.catalog, &bytes, &err));
	return bytes;
}

static enum err_code claim(struct house *house, struct claim *claim, int64_t bytes)
{
	struct err err = {0};

	return space_claim(house->space, claim, bytes, &err) ? ERR_NONE : err.code;
}

/* ---- tests ---- */

static void what_is_used_least_goes_first(void **state)
{
	struct house *house = *state;
	struct claim room = {0};
	int64_t now_s = clock_now_s();

	(void)keep(house, "a/old", SOURCE_MIRRORED, 1);
	(void)keep(house, "a/new", SOURCE_MIRRORED, 2);
	(void)keep(house, "a/used", SOURCE_MIRRORED, 3);
	use(house, "a/old", now_s + 20);
	use(house, "a/new", now_s + 30);
	use(house, "a/used", now_s + 10);
	assert_int_equal(mirrored_bytes(house), 3 * UNIT);
	assert_int_equal(claim(house, &room, 7 * UNIT), ERR_NONE);
	assert_true(is_cached(house, "a/used"));
	assert_int_equal(claim(house, &room, 8 * UNIT), ERR_NONE);
	assert_false(is_cached(house, "a/used"));
	assert_true(is_cached(house, "a/old") && is_cached(house, "a/new"));
	assert_int_equal(mirrored_bytes(house), 2 * UNIT);
	assert_int_equal(place_count_blobs(&house->place), 2);
	space_release(house->space, &room);
}

static void what_is_published_or_pinned_stays(void **state)
{
	struct house *house = *state;
	struct claim room = {0};
	struct err err;
	bool added;

	(void)keep(house, "a/shared", SOURCE_MIRRORED, 1);
	(void)keep(house, "b/shared", SOURCE_PUBLISHED, 1);
	(void)keep(house, "a/pinned", SOURCE_MIRRORED, 2);
	(void)keep(house, "a/other", SOURCE_MIRRORED, 3);
	assert_int_equal(mirrored_bytes(house), 2 * UNIT);
	assert_true(catalog_pin(house->place.catalog, "a/pin*", 1, &added, &err) && added);
	assert_true(catalog_pin(house->place.catalog, "a/pin*", 1, &added, &err) && !added);
	assert_int_equal(claim(house, &room, 9 * UNIT), ERR_NONE);
	assert_false(is_cached(house, "a/other"));
	assert_int_equal(claim(house, &room, 9 * UNIT + 1), ERR_NO_SPACE);
	assert_true(is_cached(house, "a/pinned") && is_cached(house, "a/shared"));
	space_release(house->space, &room);
	assert_true(catalog_unpin(house->place.catalog, "a/pin*", &err));
	assert_false(catalog_unpin(house->place.catalog, "a/pin*", &err));
	assert_int_equal(claim(house, &room, 10 * UNIT), ERR_NONE);
	space_release(house->space, &room);
}

static void withdrawn_bytes_count_as_mirrored_again(void **state)
{
	struct house *house = *state;
	const struct name name = name_of("b/shared", 1, FORMAT_TFLITE);
	struct err err;

	(void)keep(house, "a/shared", SOURCE_MIRRORED, 1);
	(void)keep(house, "b/shared", SOURCE_PUBLISHED, 1);
	assert_int_equal(mirrored_bytes(house), 0);
	assert_true(committer_withdraw(house->committer, &name, "somebody", NULL, &err));
	assert_int_equal(mirrored_bytes(house), UNIT);
}

static void what_is_being_read_stays(void **state)
{
	struct house *house = *state;
	struct digest digest = keep(house, "a/read", SOURCE_MIRRORED, 1);
	struct claim room = {0};
	int64_t size_bytes;
	struct err err;
	int fd;

	assert_true(blobs_read(house->place.blobs, &digest, &fd, &size_bytes, &err));
	assert_int_equal(claim(house, &room, 10 * UNIT), ERR_BUSY);
	assert_true(is_cached(house, "a/read"));
	(void)close(fd);
	assert_int_equal(claim(house, &room, 10 * UNIT), ERR_NONE);
	assert_false(is_cached(house, "a/read"));
	assert_false(blobs_read(house->place.blobs, &digest, &fd, &size_bytes, &err));
	space_release(house->space, &room);
}

static void what_never_fits_evicts_nothing(void **state)
{
	struct house *house = *state;
	struct claim room = {0};

	(void)keep(house, "a/x", SOURCE_MIRRORED, 1);
	assert_int_equal(claim(house, &room, 10 * UNIT + 1), ERR_NO_SPACE);
	assert_int_equal(claim(house, &room, INT64_MAX), ERR_NO_SPACE);
	assert_true(is_cached(house, "a/x"));
}

static void uploads_are_bound_by_free_bytes_only(void **state)
{
	struct house *house = *state;
	struct claim upload = {.unlimited = true};
	struct claim fill = {0};

	assert_int_equal(claim(house, &upload, 50 * UNIT), ERR_NONE);
	assert_int_equal(claim(house, &fill, 10 * UNIT), ERR_NONE);
	space_release(house->space, &upload);
	space_release(house->space, &fill);
	use_limits(house, 0, INT64_MAX);
	assert_int_equal(claim(house, &upload, 1), ERR_NO_SPACE);
}

static void lengths_that_nobody_told_are_claimed_as_they_grow(void **state)
{
	struct house *house = *state;
	struct claim fill = {0};
	struct claim other = {0};
	struct err err;

	for (int64_t length = 0; length <= 10 * UNIT; length += UNIT / 2) {
		assert_true(space_note_length(house->space, &fill, length, &err));
		assert_true(fill.bytes >= length && fill.bytes <= 10 * UNIT);
	}
	assert_false(space_note_length(house->space, &fill, 10 * UNIT + 1, &err));
	assert_int_equal(err.code, ERR_NO_SPACE);
	assert_int_equal(claim(house, &other, 1), ERR_BUSY);
	assert_true(space_note_length(house->space, &fill, 0, &err));
	space_release(house->space, &fill);
	assert_int_equal(claim(house, &other, 10 * UNIT), ERR_NONE);
	space_release(house->space, &other);
}

static void *await_room(void *argument)
{
	struct house *house = argument;
	struct claim fill = {0};
	struct err err;

	for (int round = 0; round < ROUNDS; round++) {
		if (!space_await(house->space, &fill, 3 * UNIT, &house->stop, &err))
			return mem_dup(err.text);
		space_release(house->space, &fill);
	}
	return NULL;
}

static void many_wait_for_each_other(void **state)
{
	struct house *house = *state;
	pthread_t threads[THREADS];

	for (uint32_t i = 0; i < 10; i++) {
		AUTO_FREE char *handle = mem_printf("a/m%u", i);

		(void)keep(house, handle, SOURCE_MIRRORED, i);
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, await_room, house), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *fault;

		assert_int_equal(pthread_join(threads[i], &fault), 0);
		if (fault)
			fail_msg("%s", (const char *)fault);
	}
	/* What the three that fit at once needed has gone, and no more than that. */
	assert_true(mirrored_bytes(house) >= UNIT && mirrored_bytes(house) <= 7 * UNIT);
}

static void waiting_ends_when_stopped(void **state)
{
	struct house *house = *state;
	struct claim all = {0};
	struct claim fill = {0};
	struct err err;

	assert_int_equal(claim(house, &all, 10 * UNIT), ERR_NONE);
	atomic_store(&house->stop, true);
	assert_false(space_await(house->space, &fill, UNIT, &house->stop, &err));
	space_release(house->space, &all);
}

static int64_t reclaimable_bytes(void *context)
{
	return *(int64_t *)context;
}

static int64_t reclaimable_evict(void *context, int64_t wanted_bytes)
{
	int64_t *bytes = context;
	int64_t gone = wanted_bytes < *bytes ? wanted_bytes : *bytes;

	*bytes -= gone;
	return gone;
}

static void what_is_reclaimable_goes_before_any_blob(void **state)
{
	struct house *house = *state;
	const struct space_limits limits = {.max_bytes = 10 * UNIT};
	int64_t unpacked = 5 * UNIT;
	const struct reclaimable reclaimable = {reclaimable_bytes, reclaimable_evict, &unpacked};
	struct claim fill = {0};

	space_destroy(house->space);
	house->space = space_create(
		&limits, house->place.catalog, house->place.blobs, house->committer, &reclaimable, 1);
	(void)keep(house, "a/x", SOURCE_MIRRORED, 1);
	assert_int_equal(claim(house, &fill, 8 * UNIT), ERR_NONE);
	assert_int_equal(unpacked, UNIT);
	assert_true(is_cached(house, "a/x"));
	assert_int_equal(claim(house, &fill, 10 * UNIT), ERR_NONE);
	assert_int_equal(unpacked, 0);
	assert_false(is_cached(house, "a/x"));
	space_release(house->space, &fill);
}

struct slow_reclaimable {
	_Atomic int64_t bytes;
	sem_t begun;
	sem_t go_on;
};

static int64_t slow_bytes(void *context)
{
	return ((struct slow_reclaimable *)context)->bytes;
}

static int64_t slow_evict(void *context, int64_t wanted_bytes)
{
	struct slow_reclaimable *reclaimable = context;

	(void)sem_post(&reclaimable->begun);
	(void)sem_wait(&reclaimable->go_on);
	reclaimable->bytes -= wanted_bytes;
	return wanted_bytes;
}

static void *claim_much(void *argument)
{
	struct house *house = argument;
	struct claim much = {0};
	enum err_code code = claim(house, &much, 5 * UNIT);

	space_release(house->space, &much);
	return code == ERR_NONE ? NULL : house;
}

/* Another process has the database, or there is much to remove: that takes its time. */
static void who_makes_room_holds_up_nobody_else(void **state)
{
	struct house *house = *state;
	struct slow_reclaimable slow = {.bytes = 8 * UNIT};
	const struct space_limits limits = {.max_bytes = 10 * UNIT};
	const struct reclaimable reclaimable = {slow_bytes, slow_evict, &slow};
	struct claim little = {0};
	struct space_view view;
	pthread_t thread;
	struct err err;
	void *fault;

	space_destroy(house->space);
	house->space = space_create(
		&limits, house->place.catalog, house->place.blobs, house->committer, &reclaimable, 1);
	(void)sem_init(&slow.begun, 0, 0);
	(void)sem_init(&slow.go_on, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, claim_much, house), 0);
	(void)sem_wait(&slow.begun);
	assert_int_equal(claim(house, &little, 2 * UNIT), ERR_NONE);
	assert_true(space_note_covered(house->space, &little, UNIT));
	assert_false(space_note_covered(house->space, &little, 2 * UNIT + 1));
	assert_true(space_look(house->space, &view, &err));
	space_release(house->space, &little);
	(void)sem_post(&slow.go_on);
	assert_int_equal(pthread_join(thread, &fault), 0);
	assert_null(fault);
	assert_int_equal(slow.bytes, 5 * UNIT);
	(void)sem_destroy(&slow.begun);
	(void)sem_destroy(&slow.go_on);
}

static void limits_that_shrank_are_enforced(void **state)
{
	struct house *house = *state;
	struct eviction eviction;
	struct err err;

	for (uint32_t i = 0; i < 5; i++) {
		AUTO_FREE char *handle = mem_printf("a/m%u", i);

		(void)keep(house, handle, SOURCE_MIRRORED, i);
	}
	use_limits(house, 2 * UNIT, 0);
	assert_true(space_preview(house->space, &eviction, &err));
	assert_int_equal(eviction.count, 3);
	assert_int_equal(mirrored_bytes(house), 5 * UNIT);
	assert_true(space_enforce(house->space, &eviction, &err));
	assert_int_equal(eviction.count, 3);
	assert_int_equal(mirrored_bytes(house), 2 * UNIT);
	assert_int_equal(place_count_blobs(&house->place), 2);
}

static void only_what_is_lost_is_forgotten(void **state)
{
	struct house *house = *state;
	struct digest digest = keep(house, "a/x", SOURCE_MIRRORED, 1);
	struct err err;
	bool lost;

	assert_true(committer_check_lost(house->committer, &digest, &lost, &err));
	assert_false(lost);
	assert_true(blobs_remove(house->place.blobs, &digest, &err));
	assert_true(committer_check_lost(house->committer, &digest, &lost, &err));
	assert_true(lost);
	assert_false(is_cached(house, "a/x"));
	assert_true(committer_check_lost(house->committer, &digest, &lost, &err));
	assert_false(lost);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_used_least_goes_first),
		TEST(what_is_published_or_pinned_stays),
		TEST(withdrawn_bytes_count_as_mirrored_again),
		TEST(what_is_being_read_stays),
		TEST(what_never_fits_evicts_nothing),
		TEST(uploads_are_bound_by_free_bytes_only),
		TEST(lengths_that_nobody_told_are_claimed_as_they_grow),
		TEST(many_wait_for_each_other),
		TEST(waiting_ends_when_stopped),
		TEST(what_is_reclaimable_goes_before_any_blob),
		TEST(who_makes_room_holds_up_nobody_else),
		TEST(limits_that_shrank_are_enforced),
		TEST(only_what_is_lost_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
