/* SPDX-License-Identifier: Apache-2.0
 *
 * What is counted as things change, against what counting finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/store/catalog/catalog_recent.h"
#include "tests/unit/catalog_place.h"

/* Each difference between the row and the truth counts; nothing else does. */
static const char disagreements[] =
	"SELECT abs(publishers - (SELECT count(*) FROM publishers WHERE modules > 0))"
	" + abs(modules - (SELECT count(*) FROM modules WHERE latest_id IS NOT NULL))"
	" + abs(versions - (SELECT count(*) FROM versions WHERE state = 'active'))"
	" + abs(artifacts - (SELECT count(*) FROM artifacts a JOIN versions v ON v.id = a.version_id"
	"  WHERE v.state = 'active'))"
	" + abs(cached - (SELECT count(*) FROM artifacts a JOIN versions v ON v.id = a.version_id"
	"  JOIN blobs b ON b.id = a.blob_id WHERE v.state = 'active' AND b.cached = 1))"
	" + abs(blobs - (SELECT count(*) FROM blobs WHERE cached = 1))"
	" + abs(blob_bytes - (SELECT coalesce(sum(size_bytes), 0) FROM blobs WHERE cached = 1))"
	" + abs(downloads - (SELECT coalesce(sum(downloads), 0) FROM modules))"
	" + (SELECT count(*) FROM artifacts a JOIN versions v ON v.id = a.version_id"
	"  WHERE a.arrival IS NOT CASE WHEN v.state = 'active' THEN a.blob_id END)"
	" + (SELECT count(*) FROM modules m WHERE"
	"  version_count <> (SELECT count(*) FROM versions WHERE module_id = m.id) OR"
	"  active_count <> (SELECT count(*) FROM versions WHERE module_id = m.id AND state = 'active'))"
	" FROM totals";

static void check_totals(void **state, unsigned seed, int step)
{
	if (ask_beside(*state, disagreements) != 0)
		fail_msg("seed %u: the totals are wrong after step %d", seed, step);
}

/* One of few names, formats and contents, so that they meet. */
static void change_something(struct catalog *catalog, unsigned *random)
{
	AUTO_FREE char *path =
		mem_printf("p%d/m%d/%d", rand_r(random) % 3, rand_r(random) % 2, rand_r(random) % 3 + 1);
	AUTO_FREE char *content = mem_printf("%0*d", rand_r(random) % 3 + 1, rand_r(random) % 4);
	struct wish wish = {path, rand_r(random) % 2 ? FORMAT_TF_HUB : FORMAT_TFLITE, content,
		rand_r(random) % 2 ? SOURCE_PUBLISHED : SOURCE_MIRRORED, NULL};
	struct name name = name_of(path, wish.format);
	struct orphans orphans;
	struct err ignored;
	enum kept kept;

	switch (rand_r(random) % 8) {
	case 0:
		(void)withdraw(catalog, path, &orphans);
		break;
	case 1:
	case 2:
		forget(catalog, content);
		break;
	case 3:
		(void)catalog_count_downloads(catalog, &(struct downloads){name, 2, NOW}, 1, &ignored);
		break;
	default:
		(void)try_keep(catalog, &wish, &kept, &ignored);
	}
}

static void counts_whatever_happens(void **state)
{
	for (unsigned seed = 1; seed <= 6; seed++) {
		unsigned random = seed;

		for (int step = 0; step < 40; step++)
			change_something(catalog_of(state), &random);
		check_totals(state, seed, 40);
	}
}

/* States that only other programs write, and several at once. */
static void counts_what_others_write(void **state)
{
	static const char *const changes[] = {
		"UPDATE versions SET state = 'quarantined' WHERE id % 2 = 0",
		"UPDATE versions SET state = 'active' WHERE id % 3 = 0",
		"UPDATE blobs SET cached = 0 WHERE id % 2 = 0",
		"UPDATE blobs SET cached = 1",
		"UPDATE modules SET downloads = 7, latest_id = NULL",
		"INSERT INTO modules (publisher_id, handle, downloads) VALUES (1, 'p0/new', 5)",
	};
	unsigned random = 99;

	for (int step = 0; step < 40; step++)
		change_something(catalog_of(state), &random);
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		run_beside(*state, &changes[i], 1);
		check_totals(state, 99, (int)i);
	}
}

static void check_recent(struct catalog *catalog, const char *const *paths, size_t count)
{
	struct recent_row *rows;
	struct err err = {0};
	size_t found;

	assert_true(catalog_list_recent(catalog, 3, &rows, &found, &err));
	assert_int_equal(found, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(name_path(&rows[i].name).text, paths[i]);
	recent_rows_destroy(rows, found);
}

static void lists_what_came_last(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct orphans orphans;

	check_recent(catalog, NULL, 0);
	(void)keep(catalog, "acme/a/1", FORMAT_TF_HUB, "1", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/b/1", FORMAT_TF_HUB, "2", SOURCE_MIRRORED);
	(void)keep(catalog, "acme/c/1", FORMAT_TF_HUB, "3", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/d/1", FORMAT_TF_HUB, "4", SOURCE_PUBLISHED);
	check_recent(catalog, (const char *const[]){"acme/d/1", "acme/c/1", "acme/b/1"}, 3);
	assert_int_equal(withdraw(catalog, "acme/c/1", &orphans), ERR_NONE);
	forget(catalog, "2");
	check_recent(catalog, (const char *const[]){"acme/d/1", "acme/b/1", "acme/a/1"}, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts_whatever_happens),
		TEST(counts_what_others_write),
		TEST(lists_what_came_last),
	};

	return cmocka_run_group_tests_name("totals", tests, NULL, NULL);
}
