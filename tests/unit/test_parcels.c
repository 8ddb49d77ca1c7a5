/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/registry/committer.h"
#include "server/registry/parcels.h"
#include "server/registry/space.h"
#include "tests/unit/store_place.h"

/* An inflow writes pieces of 256 KiB. */
enum { MOST = 1 << 20, PIECE = 256 << 10 };

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
	house->committer = committer_create(house->place.catalog, house->place.blobs, NULL);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_could_not_be_written_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_waits_for_the_disk_is_not_settled, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
