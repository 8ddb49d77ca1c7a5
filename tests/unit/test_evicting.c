/* SPDX-License-Identifier: Apache-2.0
 *
 * What an eviction looks at: each blob once, however many steps it takes, and what is pinned never again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_space.h"
#include "server/store/catalog/catalog_store.h"
#include "tests/unit/catalog_place.h"

/* MANY: more than one transaction looks at, or frees. */
enum { PLAIN = 12, MANY = 2100, BYTES = 10 };

/* Mirrored blobs, those that will be pinned used least recently. */
static void fill_with(struct place *place, int pinned, int plain)
{
	AUTO_FREE char *modules = mem_printf(
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
		" INSERT INTO modules (id, publisher_id, handle)"
		" SELECT i, 1, CASE WHEN i <= %d THEN 'acme/pinned-' ELSE 'acme/plain-' END || i FROM n",
		pinned + plain, pinned);
	const char *const rows[] = {
		"INSERT INTO publishers (id, name) VALUES (1, 'acme')",
		modules,
		"INSERT INTO versions (id, module_id, version, source, upstream, created_at, updated_at)"
		" SELECT id, id, 1, 'mirrored', 'tfhub', 1, 1 FROM modules",
		"INSERT INTO blobs (id, digest, md5, size_bytes, unpacked_bytes, file_count, cached, "
		"added_at)"
		" SELECT id, CAST(printf('%032d', id) AS BLOB), zeroblob(16), 10, 10, 1, 1, 1 FROM modules",
		"INSERT INTO artifacts (version_id, format, blob_id, created_at, last_used_at)"
		" SELECT id, 'tf-hub', id, 1, id FROM modules",
	};

	run_beside(place, rows, sizeof rows / sizeof *rows);
}

static void pin(struct place *place, const char *pattern)
{
	struct err err = {0};
	bool added;

	if (!catalog_pin(place->catalog, pattern, NOW, &added, &err))
		fail_msg("%s", err.text);
}

/* Refuses the first ones, as what is being read. */
struct taking {
	size_t refused;
	size_t offered;
};

static bool take_later_ones(void *context, const struct digest *digest, int64_t size_bytes)
{
	struct taking *taking = context;

	(void)digest;
	assert_int_equal(size_bytes, BYTES);
	return ++taking->offered > taking->refused;
}

/* So many at a time until it is over; the longest step's looks. */
static size_t evict_in_steps(
	struct place *place, size_t step, struct eviction *eviction, struct taking *taking)
{
	struct err err = {0};
	size_t longest = 0;

	*eviction = (struct eviction){.wanted_bytes = INT64_MAX};
	while (!eviction->over) {
		size_t before = eviction->looked;

		eviction->max_blobs = eviction->count + step;
		if (!catalog_evict(place->catalog, eviction, take_later_ones, taking, &err))
			fail_msg("%s", err.text);
		longest = eviction->looked - before > longest ? eviction->looked - before : longest;
	}
	return longest;
}

static size_t evict_all(struct place *place)
{
	struct eviction eviction;
	struct taking taking = {0};

	(void)evict_in_steps(place, SIZE_MAX / 2, &eviction, &taking);
	return eviction.count;
}

static void each_blob_is_looked_at_once(void **state)
{
	const struct {
		int pinned;
		size_t refused, step;
	} cases[] = {{0, 0, 1}, {4, 0, 1}, {4, 5, 1}, {30, 5, 3}, {30, PLAIN, 2}, {MANY, 5, 1}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct eviction eviction;
		struct taking taking = {.refused = cases[i].refused};
		struct taking again = {.refused = cases[i].refused};

		fill_with(*state, cases[i].pinned, PLAIN);
		pin(*state, "acme/pinned-*");
		(void)evict_in_steps(*state, cases[i].step, &eviction, &taking);
		assert_int_equal(eviction.looked, cases[i].pinned + PLAIN);
		assert_int_equal(taking.offered, PLAIN);
		assert_int_equal(eviction.count, PLAIN - cases[i].refused);
		assert_int_equal(eviction.withheld_bytes, BYTES * cases[i].refused);
		/* What is pinned costs the next one nothing. */
		(void)evict_in_steps(*state, 1, &eviction, &again);
		assert_int_equal(eviction.looked, cases[i].refused);
		assert_int_equal(eviction.count, 0);
		(void)tear_down(state);
		(void)set_up(state);
	}
}

/* However many are pinned: others write between two. */
static void no_step_looks_at_all(void **state)
{
	struct eviction eviction;
	struct taking taking = {0};

	fill_with(*state, MANY, PLAIN);
	pin(*state, "acme/pinned-*");
	assert_true(evict_in_steps(*state, SIZE_MAX / 2, &eviction, &taking) < MANY / 2);
	assert_int_equal(eviction.count, PLAIN);
}

static void a_dry_run_tells_all_and_writes_nothing(void **state)
{
	struct eviction eviction = {.wanted_bytes = INT64_MAX, .max_blobs = SIZE_MAX, .dry_run = true};
	struct taking taking = {0};
	struct err err = {0};

	fill_with(*state, MANY, PLAIN);
	pin(*state, "acme/pinned-*");
	assert_true(catalog_evict(catalog_of(state), &eviction, take_later_ones, &taking, &err));
	assert_true(eviction.over);
	assert_int_equal(eviction.count, PLAIN);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM blobs WHERE pinned_by IS NOT NULL"), 0);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM blobs WHERE cached = 1"), MANY + PLAIN);
}

/* All of them, also those of which evictions have made a note. */
static void what_is_unpinned_may_go(void **state)
{
	struct err err = {0};

	fill_with(*state, MANY, PLAIN);
	pin(*state, "acme/pinned-*");
	assert_int_equal(evict_all(*state), PLAIN);
	assert_true(catalog_unpin(catalog_of(state), "acme/pinned-*", &err));
	assert_false(catalog_unpin(catalog_of(state), "acme/pinned-*", &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(evict_all(*state), MANY);
}

static void what_another_pin_holds_stays(void **state)
{
	static const char *const orders[][2] = {{"acme/pinned-*", "acme/pinned-1*"},
		{"acme/pinned-1*", "acme/pinned-*"}, {"acme/pinned-1", "acme/*"},
		{"acme/*", "acme/pinned-1/1"}};

	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
		struct err err = {0};

		fill_with(*state, 9, 0);
		pin(*state, orders[i][0]);
		pin(*state, orders[i][1]);
		assert_int_equal(evict_all(*state), 0);
		assert_true(catalog_unpin(catalog_of(state), orders[i][0], &err));
		(void)evict_all(*state);
		assert_int_equal(ask_beside(*state, "SELECT cached FROM blobs WHERE id = 1"), 1);
		assert_true(catalog_unpin(catalog_of(state), orders[i][1], &err));
		(void)evict_all(*state);
		assert_int_equal(ask_beside(*state, "SELECT count(*) FROM blobs WHERE cached = 1"), 0);
		(void)tear_down(state);
		(void)set_up(state);
	}
}

static int64_t mirrored_bytes(struct place *place)
{
	struct err err = {0};
	int64_t bytes = -1;

	if (!catalog_mirrored_bytes(place->catalog, &bytes, &err))
		fail_msg("%s", err.text);
	return bytes;
}

static void publish(struct place *place, int first, int last)
{
	AUTO_FREE char *artifacts = mem_printf(
		"UPDATE artifacts SET source = 'published' WHERE version_id BETWEEN %d AND %d", first, last);
	const char *const rows[] = {artifacts};

	run_beside(place, rows, 1);
}

/* What is elsewhere may go, whether it was published before that was known or since; and from then on stays
 * again. */
static void what_is_elsewhere_may_go(void **state)
{
	static const struct store_id bucket = {"1a"}, none = {""};
	struct err err = {0};

	fill_with(*state, 0, 9);
	publish(*state, 1, 3);
	assert_int_equal(mirrored_bytes(*state), 6 * BYTES);
	assert_true(catalog_note_store(catalog_of(state), &bucket, &err));
	assert_true(catalog_belong_to(catalog_of(state), &bucket, &err));
	assert_true(catalog_belong_to(catalog_of(state), &bucket, &err));
	assert_int_equal(mirrored_bytes(*state), 9 * BYTES);
	publish(*state, 4, 5);
	assert_int_equal(mirrored_bytes(*state), 9 * BYTES);
	assert_true(catalog_belong_to(catalog_of(state), &none, &err));
	assert_int_equal(mirrored_bytes(*state), 4 * BYTES);
	assert_int_equal(evict_all(*state), 4);
	assert_true(catalog_note_store(catalog_of(state), &bucket, &err));
	assert_true(catalog_belong_to(catalog_of(state), &bucket, &err));
	assert_int_equal(evict_all(*state), 5);
	assert_int_equal(mirrored_bytes(*state), 0);
}

/* A folder with modules is taken for the index of that bucket only that has them; without any, for each. */
static void a_folder_belongs_to_one_bucket(void **state)
{
	static const struct store_id none = {""}, one = {"1a"}, other = {"2b"};
	struct err err = {0};

	assert_true(catalog_belong_to(catalog_of(state), &one, &err));
	assert_true(catalog_belong_to(catalog_of(state), &other, &err));
	fill_with(*state, 0, 9);
	publish(*state, 1, 3);
	assert_true(catalog_belong_to(catalog_of(state), &other, &err));
	assert_false(catalog_belong_to(catalog_of(state), &one, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_non_null(strstr(err.text, "another bucket's"));
	/* What it takes alone, no bucket has. */
	assert_true(catalog_belong_to(catalog_of(state), &none, &err));
	assert_false(catalog_belong_to(catalog_of(state), &other, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_non_null(strstr(err.text, "store import"));
	assert_int_equal(mirrored_bytes(*state), 6 * BYTES);
	assert_true(catalog_note_store(catalog_of(state), &one, &err));
	assert_int_equal(mirrored_bytes(*state), 6 * BYTES);
	assert_true(catalog_belong_to(catalog_of(state), &one, &err));
	assert_int_equal(mirrored_bytes(*state), 9 * BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_blob_is_looked_at_once),
		TEST(no_step_looks_at_all),
		TEST(a_dry_run_tells_all_and_writes_nothing),
		TEST(what_is_unpinned_may_go),
		TEST(what_another_pin_holds_stays),
		TEST(what_is_elsewhere_may_go),
		TEST(a_folder_belongs_to_one_bucket),
	};

	return cmocka_run_group_tests_name("evicting", tests, NULL, NULL);
}
