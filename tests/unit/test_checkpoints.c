/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "server/registry/checkpoints.h"
#include "server/registry/committer.h"
#include "server/vault/vault_alone.h"
#include "tests/unit/store_place.h"

enum { DAY_S = 24 * 3600, HALF = 500, ALL = 1000 };

static const struct name name = {.handle = "google/x", .version = 3, .format = FORMAT_TF_HUB};
static const struct object object = {"\"v1\"", "Mon, 02 Jan 2023 03:04:05 GMT", 4000};

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

/* What a process leaves that began a fill and was ended in order. */
static void leave_draft_of(const struct place *place, struct checkpoints *checkpoints, bool stays)
{
	AUTO_SPOOL struct spool *spool = NULL;
	static const char bytes[ALL] = "begun";
	struct checkpoint *checkpoint;
	struct err err;

	assert_true(blobs_begin(place->blobs, &spool, &err));
	checkpoint = checkpoint_open(checkpoints, spool, &name, "far", &object);
	assert_true(spool_append(spool, bytes, sizeof bytes, &err));
	checkpoint_advance(checkpoint, sizeof bytes);
	if (stays)
		spool_leave_draft(spool);
	checkpoint_close(checkpoint, stays);
}

static void leave_draft(const struct place *place, bool stays)
{
	struct checkpoints *checkpoints = checkpoints_create(place->catalog, place->blobs);

	leave_draft_of(place, checkpoints, stays);
	checkpoints_destroy(checkpoints);
}

static struct fill_row find_row(const struct place *place, bool *found)
{
	struct fill_row row;
	struct err err;

	if (!catalog_find_fill(place->catalog, &name, &row, found, &err))
		fail_msg("%s", err.text);
	return row;
}

/* *spool is NULL where there is none. */
static bool take_up_spool(
	struct checkpoints *checkpoints, struct spool **spool, struct fill_row *row, struct err *err)
{
	bool found;

	spool_release(*spool);
	*spool = spool_create_unopened();
	if (!checkpoints_take_up(checkpoints, &name, *spool, &found, row, err))
		return false;
	if (!found)
		spool_release(TAKE(*spool));
	return true;
}

static int64_t take_up(const struct place *place, struct fill_row *row)
{
	struct checkpoints *checkpoints = checkpoints_create(place->catalog, place->blobs);
	AUTO_SPOOL struct spool *spool = NULL;
	struct err err;

	if (!take_up_spool(checkpoints, &spool, row, &err))
		fail_msg("%s", err.text);
	checkpoints_destroy(checkpoints);
	return spool ? row->durable_bytes : -1;
}

static void what_stays_is_taken_up_with_all_that_is_known(void **state)
{
	const struct place *place = *state;
	struct fill_row row;

	leave_draft(place, true);
	assert_int_equal(take_up(place, &row), ALL);
	assert_string_equal(row.upstream, "far");
	assert_string_equal(row.etag, object.etag);
	assert_string_equal(row.last_modified, object.last_modified);
	assert_int_equal(row.total_bytes, object.length);
}

static void what_does_not_stay_leaves_nothing(void **state)
{
	const struct place *place = *state;
	struct fill_row row;
	bool found;

	leave_draft(place, false);
	(void)find_row(place, &found);
	assert_false(found);
	assert_int_equal(place_count_drafts(place), 0);
	assert_int_equal(take_up(place, &row), -1);
}

static void after_another_boot_only_durable_bytes_are_trusted(void **state)
{
	static const struct {
		const char *boot_id;
		int64_t durable;
		int64_t trusted;
	} cases[] = {{"another", HALF, HALF}, {"another", 0, -1}, {"", HALF, HALF}, {"another", ALL + 1, -1}};
	const struct place *place = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fill_row row;
		struct err err;
		bool found;

		leave_draft(place, true);
		row = find_row(place, &found);
		assert_true(found);
		(void)snprintf(row.boot_id, sizeof row.boot_id, "%s", cases[i].boot_id);
		row.durable_bytes = cases[i].durable;
		assert_true(catalog_note_fill(place->catalog, &row, &err));
		assert_int_equal(take_up(place, &row), cases[i].trusted);
		/* What cannot be trusted is not offered again. */
		if (cases[i].trusted < 0)
			(void)find_row(place, &found);
		assert_int_equal(found, cases[i].trusted >= 0);
		/* Nor does it stay where nobody counts it. */
		assert_int_equal(place_count_drafts(place), 0);
	}
}

/* The note could not be made, or was taken by hand: the draft is known all the same. */
static void a_draft_without_its_row_does_not_stay(void **state)
{
	const struct place *place = *state;
	struct checkpoints *checkpoints = checkpoints_create(place->catalog, place->blobs);
	struct spool *spool = NULL;
	struct fill_row row;
	struct err err;

	leave_draft_of(place, checkpoints, true);
	assert_int_equal(place_count_drafts(place), 1);
	assert_true(catalog_forget_fill(place->catalog, &name, &err));
	assert_true(take_up_spool(checkpoints, &spool, &row, &err));
	assert_null(spool);
	assert_int_equal(checkpoints_waiting_bytes(checkpoints), 0);
	assert_int_equal(place_count_drafts(place), 0);
	checkpoints_destroy(checkpoints);
}

static void a_row_without_its_draft_is_forgotten(void **state)
{
	const struct place *place = *state;
	struct fill_row row;
	bool found;

	leave_draft(place, true);
	/* The spool's last reference takes the draft with it. */
	assert_int_equal(take_up(place, &row), ALL);
	assert_int_equal(place_count_drafts(place), 0);
	assert_int_equal(take_up(place, &row), -1);
	(void)find_row(place, &found);
	assert_false(found);
}

static void sweeping_spares_drafts_of_the_last_day(void **state)
{
	const struct place *place = *state;
	struct committer *committer = committer_create(place->catalog, place->blobs, NULL, vault_alone());
	AUTO_SPOOL struct spool *unclaimed = NULL;
	struct fill_row row;
	struct err err;
	bool found;

	leave_draft(place, true);
	assert_true(blobs_begin(place->blobs, &unclaimed, &err));
	assert_true(committer_sweep_drafts(committer, &err));
	assert_int_equal(place_count_drafts(place), 1);
	row = find_row(place, &found);
	assert_true(found);
	row.updated_at = (int64_t)time(NULL) - DAY_S - 1;
	assert_true(catalog_note_fill(place->catalog, &row, &err));
	assert_true(committer_sweep_drafts(committer, &err));
	assert_int_equal(place_count_drafts(place), 0);
	(void)find_row(place, &found);
	assert_false(found);
	committer_destroy(committer);
}

static void drafts_that_wait_count_and_may_go(void **state)
{
	const struct place *place = *state;
	AUTO_SPOOL struct spool *spool = NULL;
	struct checkpoints *checkpoints;
	struct fill_row row;
	struct err err;
	bool found;

	leave_draft(place, true);
	checkpoints = checkpoints_create(place->catalog, place->blobs);
	assert_int_equal(checkpoints_waiting_bytes(checkpoints), ALL);
	/* What somebody takes up counts until he says that it is his, and does not go. */
	assert_true(take_up_spool(checkpoints, &spool, &row, &err));
	assert_non_null(spool);
	assert_int_equal(checkpoints_waiting_bytes(checkpoints), ALL);
	assert_int_equal(checkpoints_evict(checkpoints, 1), 0);
	spool_leave_draft(spool);
	spool_release(TAKE(spool));
	checkpoints_put_back(checkpoints, &name);
	assert_int_equal(checkpoints_evict(checkpoints, 1), ALL);
	assert_int_equal(checkpoints_waiting_bytes(checkpoints), 0);
	assert_int_equal(place_count_drafts(place), 0);
	(void)find_row(place, &found);
	assert_false(found);
	assert_true(take_up_spool(checkpoints, &spool, &row, &err));
	assert_null(spool);
	checkpoints_destroy(checkpoints);
}

static void what_is_left_waits_in_the_same_process_too(void **state)
{
	const struct place *place = *state;
	struct checkpoints *checkpoints = checkpoints_create(place->catalog, place->blobs);
	AUTO_SPOOL struct spool *spool = NULL;
	struct fill_row row;
	struct err err;

	leave_draft_of(place, checkpoints, true);
	assert_int_equal(checkpoints_waiting_bytes(checkpoints), ALL);
	assert_true(take_up_spool(checkpoints, &spool, &row, &err));
	assert_non_null(spool);
	assert_int_equal(row.durable_bytes, ALL);
	checkpoints_settle(checkpoints, &name);
	assert_int_equal(checkpoints_waiting_bytes(checkpoints), 0);
	checkpoints_destroy(checkpoints);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_stays_is_taken_up_with_all_that_is_known),
		TEST(what_does_not_stay_leaves_nothing),
		TEST(after_another_boot_only_durable_bytes_are_trusted),
		TEST(a_draft_without_its_row_does_not_stay),
		TEST(a_row_without_its_draft_is_forgotten),
		TEST(sweeping_spares_drafts_of_the_last_day),
		TEST(drafts_that_wait_count_and_may_go),
		TEST(what_is_left_waits_in_the_same_process_too),
	};

	return cmocka_run_group_tests_name("checkpoints", tests, NULL, NULL);
}
