/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include "server/store/blobs.h"
#include "tests/unit/store_place.h"

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

static struct spool *draft_of(struct place *place, const char *content)
{
	struct spool *spool = NULL;
	struct err err = {0};

	if (!blobs_begin(place->blobs, &spool, &err) || !spool_append(spool, content, strlen(content), &err))
		fail_msg("%s", err.text);
	spool_complete(spool);
	return spool;
}

static struct digest adopt(struct place *place, const char *content)
{
	AUTO_SPOOL struct spool *spool = draft_of(place, content);
	struct digest digest = digest_of(content, strlen(content));
	struct err err = {0};

	if (!blobs_prepare(spool, &err) || !blobs_adopt(place->blobs, spool, &digest, &err))
		fail_msg("%s", err.text);
	spool_mark_kept(spool);
	return digest;
}

static void assert_blob(struct place *place, const struct digest *digest, const char *content)
{
	AUTO_FD int fd = -1;
	char bytes[64] = "";
	struct stat status;
	struct err err = {0};
	int64_t size;

	if (!blobs_read(place->blobs, digest, &fd, &size, &err))
		fail_msg("%s", err.text);
	assert_int_equal(size, strlen(content));
	assert_int_equal(read(fd, bytes, sizeof bytes - 1), size);
	assert_string_equal(bytes, content);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0440);
}

static void assert_no_blob(struct place *place, const struct digest *digest)
{
	struct err err = {0};
	int fd = -1;
	int64_t size;

	assert_false(blobs_read(place->blobs, digest, &fd, &size, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(fd, -1);
}

static void an_adopted_draft_is_a_blob(void **state)
{
	struct place *place = *state;
	struct digest digest = adopt(place, "hello");
	AUTO_FREE char *path = mem_printf("blobs/sha256/%.2s/%s", digest.hex, digest.hex);

	assert_true(place_has(place, path));
	assert_blob(place, &digest, "hello");
	assert_int_equal(place_count_drafts(place), 0);
	assert_int_equal(place_count_blobs(place), 1);
}

static void it_outlives_the_store(void **state)
{
	struct place *place = *state;
	struct digest digest = adopt(place, "hello");
	struct err err = {0};

	blobs_close(TAKE(place->blobs));
	assert_true(blobs_open(place->folder, &place->blobs, &err));
	assert_blob(place, &digest, "hello");
	blobs_close(NULL);
}

/* A reader keeps what it has opened, whichever of the two files the name leads to. */
static void the_same_digest_may_be_adopted_twice(void **state)
{
	struct place *place = *state;
	struct digest digest = adopt(place, "hello");
	AUTO_FD int fd = -1;
	char bytes[8] = "";
	struct err err = {0};
	int64_t size;

	assert_true(blobs_read(place->blobs, &digest, &fd, &size, &err));
	(void)adopt(place, "hello");
	assert_int_equal(read(fd, bytes, sizeof bytes - 1), 5);
	assert_string_equal(bytes, "hello");
	assert_blob(place, &digest, "hello");
	assert_int_equal(place_count_blobs(place), 1);
	assert_int_equal(place_count_drafts(place), 0);
}

/* Readers of a running fill stay with the file when it gets its name, and when it loses it. */
static void a_spool_can_be_read_after_adoption(void **state)
{
	struct place *place = *state;
	AUTO_SPOOL struct spool *spool = draft_of(place, "hello");
	struct digest digest = digest_of("hello", 5);
	struct err err = {0};
	char bytes[8] = "";

	assert_true(blobs_prepare(spool, &err) && blobs_adopt(place->blobs, spool, &digest, &err));
	spool_mark_kept(spool);
	assert_true(blobs_remove(place->blobs, &digest, &err));
	assert_int_equal(pread(spool_fd(spool), bytes, sizeof bytes - 1, 0), 5);
	assert_string_equal(bytes, "hello");
}

static void removes_a_blob(void **state)
{
	struct place *place = *state;
	struct digest gone = adopt(place, "hello");
	struct digest stays = adopt(place, "world");
	struct err err = {0};

	assert_true(blobs_remove(place->blobs, &gone, &err));
	assert_no_blob(place, &gone);
	assert_blob(place, &stays, "world");
	assert_true(blobs_remove(place->blobs, &gone, &err));
}

static void what_is_not_there_is_not_found(void **state)
{
	struct place *place = *state;
	struct digest digest = digest_of("hello", 5);
	AUTO_SPOOL struct spool *spool = spool_create_unopened();
	struct err err = {0};

	assert_no_blob(place, &digest);
	assert_true(blobs_remove(place->blobs, &digest, &err));
	assert_false(blobs_open_draft(place->blobs, "no-such-draft", 1, spool, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_null(spool_name(spool));
}

static void drafts_have_names_of_their_own(void **state)
{
	struct place *place = *state;
	AUTO_SPOOL struct spool *first = draft_of(place, "hello");
	AUTO_SPOOL struct spool *second = draft_of(place, "hello");

	assert_string_not_equal(spool_name(first), spool_name(second));
	assert_int_equal(place_count_drafts(place), 2);
}

static bool is_named(void *context, const char *draft)
{
	return strcmp(draft, context) == 0;
}

static void sweeps_what_nobody_claims(void **state)
{
	struct place *place = *state;
	struct spool *claimed = draft_of(place, "hello");
	struct spool *lost = draft_of(place, "world");
	AUTO_FREE char *name = mem_dup(spool_name(claimed));
	struct digest blob = adopt(place, "a blob");
	struct err err = {0};

	spool_leave_draft(claimed);
	spool_leave_draft(lost);
	spool_release(claimed);
	spool_release(lost);
	assert_int_equal(place_count_drafts(place), 2);
	assert_true(blobs_sweep_drafts(place->blobs, is_named, name, &err));
	assert_int_equal(place_count_drafts(place), 1);
	assert_blob(place, &blob, "a blob");
	claimed = spool_create_unopened();
	assert_true(blobs_open_draft(place->blobs, name, 5, claimed, &err));
	spool_release(claimed);
	assert_int_equal(place_count_drafts(place), 0);
}

struct visits {
	int64_t bytes;
	int count;
	int limit;
};

static bool visit(void *context, const struct digest *digest, int64_t size_bytes)
{
	struct visits *visits = context;

	assert_int_equal(strlen(digest->hex), 64);
	visits->bytes += size_bytes;
	return ++visits->count < visits->limit;
}

static bool is_never_named(void *context, const char *draft)
{
	(void)context;
	(void)draft;
	return false;
}

static void drafts_that_another_holds_are_not_swept(void **state)
{
	struct place *place = *state;
	struct blobs *other = NULL;
	struct spool *draft = draft_of(place, "hello");
	struct err err = {0};

	spool_leave_draft(draft);
	spool_release(draft);
	assert_true(blobs_open(place->folder, &other, &err));
	assert_true(blobs_hold_drafts(other, &err));
	assert_true(blobs_sweep_drafts(place->blobs, is_never_named, NULL, &err));
	assert_int_equal(place_count_drafts(place), 1);
	blobs_close(other);
	assert_true(blobs_sweep_drafts(place->blobs, is_never_named, NULL, &err));
	assert_int_equal(place_count_drafts(place), 0);
}

static void visits_every_blob(void **state)
{
	static const char *const strangers[] = {
		"blobs/sha256/.hidden", "blobs/sha256/stray", "blobs/sha256/2c/not-a-digest"};
	struct place *place = *state;
	struct visits all = {.limit = 100};
	struct visits some = {.limit = 2};
	struct err err = {0};

	assert_true(blobs_each(place->blobs, visit, &all, &err));
	assert_int_equal(all.count, 0);
	(void)adopt(place, "hello"); /* its digest begins with 2c */
	(void)adopt(place, "a");
	(void)adopt(place, "four");
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
		AUTO_FREE char *path = mem_printf("%s/%s", place->folder, strangers[i]);
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		(void)fclose(file);
	}
	if (!blobs_each(place->blobs, visit, &all, &err))
		fail_msg("%s", err.text);
	assert_int_equal(all.count, 3);
	assert_int_equal(all.bytes, 10);
	assert_true(blobs_each(place->blobs, visit, &some, &err));
	assert_int_equal(some.count, 2);
}

static void knows_the_free_space(void **state)
{
	struct place *place = *state;
	struct err err = {0};
	int64_t free_bytes = -1;

	assert_true(blobs_free_bytes(place->blobs, &free_bytes, &err));
	assert_true(free_bytes > 0);
}

static void opens_no_folder_that_is_a_file(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *path = mem_printf("%s/larder.db", place->folder);
	struct blobs *blobs = NULL;
	struct err err = {0};

	assert_false(blobs_open(path, &blobs, &err));
	assert_null(blobs);
	assert_true(strlen(err.text) > 0);
}

/* Fills and uploads that have all descriptors between them wait for their turn to be kept: it must take none.
 */
static void is_adopted_where_no_descriptor_is_left(void **state)
{
	static const char *const contents[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	struct place *place = *state;
	struct rlimit before, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
		AUTO_SPOOL struct spool *spool = draft_of(place, contents[i]);
		struct digest digest = digest_of(contents[i], 1);
		struct err err = {0};
		int next = dup(0);
		bool done;

		assert_true(next >= 0);
		(void)close(next);
		none = (struct rlimit){(rlim_t)next, before.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		assert_int_equal(dup(0), -1);
		done = blobs_prepare(spool, &err) && blobs_adopt(place->blobs, spool, &digest, &err);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (!done)
			fail_msg("%s", err.text);
		spool_mark_kept(spool);
		assert_blob(place, &digest, contents[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_adopted_draft_is_a_blob, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_outlives_the_store, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_same_digest_may_be_adopted_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_spool_can_be_read_after_adoption, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removes_a_blob, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_not_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(drafts_have_names_of_their_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sweeps_what_nobody_claims, set_up, tear_down),
		cmocka_unit_test_setup_teardown(drafts_that_another_holds_are_not_swept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(is_adopted_where_no_descriptor_is_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(visits_every_blob, set_up, tear_down),
		cmocka_unit_test_setup_teardown(knows_the_free_space, set_up, tear_down),
		cmocka_unit_test_setup_teardown(opens_no_folder_that_is_a_file, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("blobs", tests, NULL, NULL);
}
