/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/statvfs.h>
#include <cmocka.h>

#include "server/registry/committer.h"
#include "server/registry/parcels.h"
#include "server/registry/space.h"
#include "server/vault/vault_alone.h"
#include "tests/unit/store_place.h"

/* An inflow writes pieces of 256 KiB. */
enum { MOST = 1 << 20, PIECE = 256 << 10 };

static _Atomic int64_t passed_ms;

int64_t __real_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void);

int64_t __wrap_clock_monotonic_ms(void)
{
	return __real_clock_monotonic_ms() + atomic_load(&passed_ms);
}

static void pass(int64_t time_s)
{
	(void)atomic_fetch_add(&passed_ms, 1000 * time_s);
}

struct house {
	struct place place;
	struct committer *committer;
	struct space *space;
	struct parcels *parcels;
};

static int set_up(void **state)
{
	struct house *house = mem_zero(1, sizeof *house);
	const struct space_limits limits = {.keep_free_bytes = 0};
	struct err err = {0};

	place_open(&house->place);
	house->committer = committer_create(house->place.catalog, house->place.blobs, NULL, vault_alone());
	house->space =
		space_create(&limits, house->place.catalog, house->place.blobs, house->committer, NULL, 0);
	if (!parcels_create(house->space, house->place.blobs, MOST, &house->parcels, &err))
		fail_msg("%s", err.text);
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;

	parcels_destroy(house->parcels);
	space_destroy(house->space);
	committer_destroy(house->committer);
	place_close(&house->place);
	free(house);
	return 0;
}

static struct parcel_id begin(struct house *house, int64_t length)
{
	struct parcel_id id = {0};
	struct err err = {0};

	if (!parcels_begin(house->parcels, "ann", "a.bin", length, &id, &err))
		fail_msg("%s", err.text);
	return id;
}

static struct parcel *hold(struct house *house, const struct parcel_id *id)
{
	struct parcel *parcel = NULL;
	struct err err = {0};

	if (!parcels_hold(house->parcels, id->text, "ann", &parcel, &err))
		fail_msg("%s", err.text);
	assert_non_null(parcel);
	return parcel;
}

static bool is_known(struct house *house, const struct parcel_id *id)
{
	struct parcel_state state;
	struct err err = {0};
	bool known = parcels_look(house->parcels, id->text, &state, &err);

	assert_true(known || err.code == ERR_NOT_FOUND);
	return known;
}

static bool put(struct parcel *parcel, size_t length, struct err *err)
{
	AUTO_FREE char *bytes = mem_zero(1, length);

	return (parcel_has_room(parcel, length) || parcel_make_room(parcel, length, err)) &&
	       parcel_put(parcel, bytes, length, err);
}

/* From here on all that is written to its file goes there. */
static void put_in_place(const struct parcel *parcel, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, parcel_fd(parcel)), parcel_fd(parcel));
	(void)close(fd);
}

/* Wherever it fails: with the first piece, with a later one, in the middle of what is put. */
static void what_could_not_be_written_is_gone(void **state)
{
	static const size_t before[] = {0, 1, PIECE - 1, PIECE, PIECE + 1};
	struct house *house = *state;

	for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
		struct parcel_id id = begin(house, MOST);
		struct parcel *parcel = hold(house, &id), *other = NULL;
		struct err err = {0};

		assert_true(before[i] == 0 || put(parcel, before[i], &err));
		put_in_place(parcel, "/dev/null", O_RDONLY);
		assert_false(put(parcel, MOST - before[i], &err));
		assert_int_equal(err.code, ERR_INTERNAL);
		assert_false(is_known(house, &id));
		assert_false(parcels_hold(house->parcels, id.text, "ann", &other, &err));
		parcels_release(house->parcels, parcel, false);
		assert_false(is_known(house, &id));
		assert_int_equal(place_count_drafts(&house->place), 0);
	}
}

/* However long it is said to be. */
static void what_never_comes_takes_no_room(void **state)
{
	struct house *house = *state;
	AUTO_PARCELS struct parcels *large = NULL;
	struct statvfs disk;
	struct parcel_id id;
	int64_t length;
	struct err err = {0};

	assert_int_equal(statvfs(house->place.folder, &disk), 0);
	length = (int64_t)(disk.f_bavail * disk.f_frsize) / 10 * 9;
	if (!parcels_create(house->space, house->place.blobs, INT64_MAX, &large, &err))
		fail_msg("%s", err.text);
	for (int i = 0; i < 8; i++) {
		if (!parcels_begin(large, "ann", "a.bin", length, &id, &err))
			fail_msg("%s", err.text);
	}
}

static bool is_settled(struct house *house, const struct parcel_id *id)
{
	struct parcel_state state = {0};
	struct err err = {0};

	if (!parcels_look(house->parcels, id->text, &state, &err))
		fail_msg("%s", err.text);
	return state.settled;
}

static void what_waits_for_the_disk_is_not_settled(void **state)
{
	static const size_t lengths[] = {1, PIECE, PIECE + 1, MOST};
	struct house *house = *state;

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct parcel_id id = begin(house, (int64_t)lengths[i]);
		struct parcel *parcel = hold(house, &id);
		struct err err = {0};
		int file = dup(parcel_fd(parcel));

		assert_true(is_settled(house, &id));
		put_in_place(parcel, "/dev/full", O_WRONLY);
		assert_true(put(parcel, lengths[i], &err));
		assert_false(parcel_flush(parcel, &err));
		assert_int_equal(err.code, ERR_NO_SPACE);
		parcels_release(house->parcels, parcel, false);
		/* All of it has come, and none is there. */
		assert_false(is_settled(house, &id));
		assert_ptr_equal(hold(house, &id), parcel);
		assert_int_equal(parcel_received(parcel), lengths[i]);
		assert_int_equal(dup2(file, parcel_fd(parcel)), parcel_fd(parcel));
		assert_true(parcel_flush(parcel, &err));
		assert_true(is_settled(house, &id));
		assert_int_equal(lseek(parcel_fd(parcel), 0, SEEK_END), lengths[i]);
		parcels_release(house->parcels, parcel, true);
		(void)close(file);
	}
}

/* Its thread looks when something changes: here when another one is given back. */
static void await_end(struct house *house, const struct parcel_id *id)
{
	struct parcel_id other = begin(house, 1);

	while (is_known(house, id)) {
		parcels_release(house->parcels, hold(house, &other), false);
		(void)sched_yield();
	}
	parcels_release(house->parcels, hold(house, &other), true);
}

/* Each is held and given back every quarter of an hour; of one more comes meanwhile. */
static void only_what_comes_renews_the_hour(void **state)
{
	struct house *house = *state;
	struct parcel_id asked = begin(house, 100), sent = begin(house, 100);
	struct err err = {0};

	for (int i = 0; i < 5; i++) {
		struct parcel *parcel = hold(house, &sent);

		assert_true(put(parcel, 1, &err));
		parcels_release(house->parcels, parcel, false);
		if (i < 4)
			parcels_release(house->parcels, hold(house, &asked), false);
		pass(PARCELS_LIFETIME_S / 4 + 1);
	}
	await_end(house, &asked);
	assert_true(is_known(house, &sent));
	pass(PARCELS_LIFETIME_S);
	await_end(house, &sent);
}

static enum err_code refusal_of(struct house *house, const char *who, int64_t length)
{
	struct parcel_id id;
	struct err err = {.code = ERR_NONE};

	return parcels_begin(house->parcels, who, "a.bin", length, &id, &err) ? ERR_NONE : err.code;
}

/* By their bytes here; the oldest first, and no more than are in the way. */
static void what_is_idle_makes_room_for_its_token(void **state)
{
	struct house *house = *state;
	struct parcel_id held = begin(house, MOST / 4), first = begin(house, MOST / 4),
			 second = begin(house, MOST / 4), third = begin(house, MOST / 4);
	struct parcel *parcel = hold(house, &held), *active;
	struct err err = {0};

	assert_int_equal(refusal_of(house, "ann", 1), ERR_BUSY);
	pass(PARCELS_IDLE_S - 10);
	assert_int_equal(refusal_of(house, "ann", 1), ERR_BUSY);
	active = hold(house, &second);
	assert_true(put(active, 1, &err));
	parcels_release(house->parcels, active, false);
	pass(20);
	assert_int_equal(refusal_of(house, "bob", MOST), ERR_NONE);
	assert_true(is_known(house, &first));
	assert_int_equal(refusal_of(house, "ann", 1), ERR_NONE);
	assert_false(is_known(house, &first));
	assert_true(is_known(house, &third));
	assert_int_equal(refusal_of(house, "ann", MOST / 2 - 1), ERR_NONE);
	assert_false(is_known(house, &third));
	assert_true(is_known(house, &second));
	assert_int_equal(refusal_of(house, "ann", 1), ERR_BUSY);
	assert_true(is_known(house, &second) && is_known(house, &held));
	parcels_release(house->parcels, parcel, false);
}

/* Of whoever has most, and not of whoever comes then. */
static void a_full_table_loses_what_is_idle(void **state)
{
	static struct parcel_id ids[PARCELS_MAX];
	struct house *house = *state;
	int first = PARCELS_MAX - PARCELS_A_TOKEN; /* of ann's */
	struct err err = {0};

	for (int i = 0; i < PARCELS_MAX; i++) {
		char who[16];

		(void)snprintf(who, sizeof who, "t%d", i < 2 ? 0 : i);
		if (!parcels_begin(house->parcels, i < first ? who : "ann", "a", 1, &ids[i], &err))
			fail_msg("%s", err.text);
	}
	assert_int_equal(refusal_of(house, "bob", 1), ERR_BUSY);
	pass(PARCELS_IDLE_S + 10);
	assert_int_equal(refusal_of(house, "bob", 1), ERR_NONE);
	for (int i = 0; i < PARCELS_MAX; i++)
		assert_int_equal(is_known(house, &ids[i]), i != first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_could_not_be_written_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_waits_for_the_disk_is_not_settled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_what_comes_renews_the_hour, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_idle_makes_room_for_its_token, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_table_loses_what_is_idle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_never_comes_takes_no_room, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
