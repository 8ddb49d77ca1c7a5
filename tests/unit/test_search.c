/* SPDX-License-Identifier: Apache-2.0
 *
 * The index in memory as the database changes: what is read anew, and who waits for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "server/module/documents/hubdoc.h"
#include "server/store/catalog/catalog_documentation.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_search.h"
#include "server/store/search/search.h"
#include "tests/unit/catalog_place.h"

enum { MODULES = 4000 };

static void fill(const struct place *place)
{
	static const char *const statements[] = {
		"INSERT INTO publishers (id, name) VALUES (1, 'many')",
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
		" INSERT INTO modules (id, publisher_id, handle) SELECT i, 1, printf('many/m%05d', i) FROM n",
		"INSERT INTO versions (id, module_id, version, source, created_at, updated_at)"
		" SELECT id, id, 1, 'listed', 1, 1 FROM modules",
		"UPDATE modules SET latest_id = id, latest_source = 'listed'",
	};

	run_beside(place, statements, sizeof statements / sizeof *statements);
}

/* Adds downloads to the first `count` modules, by their ids: the later ones get more. */
static void download(const struct place *place, int count)
{
	AUTO_FREE char *statement =
		mem_printf("UPDATE modules SET downloads = downloads + id WHERE id <= %d", count);

	run_beside(place, (const char *const[]){statement}, 1);
}

static struct module_list ask(struct catalog *catalog)
{
	struct module_list list;
	struct err err = {0};

	if (!catalog_list_modules(
		    catalog, &(struct module_query){.sort = SORT_DOWNLOADS, .limit = 1}, &list, &err))
		fail_msg("%s", err.text);
	assert_int_equal(list.count, 1);
	return list;
}

static void check_first(struct catalog *catalog, const char *handle)
{
	struct module_list list = ask(catalog);

	assert_string_equal(list.items[0].handle, handle);
	assert_int_equal(list.total, MODULES);
	module_list_finish(&list);
}

static void reads_anew_by_the_share_that_changed(void **state)
{
	struct catalog *catalog = catalog_of(state);

	fill(*state);
	check_first(catalog, "many/m00001");
	assert_int_equal(catalog->search->built, 1);
	/* In several steps: the share counts, not the number. */
	download(*state, 900);
	check_first(catalog, "many/m00900");
	assert_int_equal(catalog->search->built, 1);
	download(*state, 3000);
	check_first(catalog, "many/m03000");
	assert_int_equal(catalog->search->built, 2);
	for (int i = 1; i < 200; i += 66) {
		download(*state, i);
		check_first(catalog, "many/m03000");
	}
	assert_int_equal(catalog->search->built, 2);
}

static int64_t count(struct catalog *catalog, const char *q, const char *task)
{
	struct module_filter filter = {FACET_TASK, task};
	struct module_query query = {.q = q, .filters = &filter, .filter_count = task != NULL, .limit = 1};
	struct module_list list;
	struct err err = {0};
	int64_t total;

	if (!catalog_list_modules(catalog, &query, &list, &err))
		fail_msg("%s", err.text);
	total = list.total;
	module_list_finish(&list);
	return total;
}

static void document(struct catalog *catalog, const char *path, const char *task)
{
	AUTO_FREE char *markdown = mem_printf(
		"# Module %s\n\nFinds %ss.\n\n<!-- task: %s -->\n\n## Overview\n", path, task, task);
	struct name name = name_of(path, FORMAT_TF_HUB);
	struct hubdoc *head = NULL;
	struct err err = {0};
	bool is_one, created;
	size_t line;

	assert_true(hubdoc_read(markdown, &head, &is_one, &line, &err));
	if (!catalog_set_documentation(
		    catalog, &name, &(struct documentation){markdown, head, "ci", NOW}, &created, &err))
		fail_msg("%s", err.text);
	hubdoc_destroy(head);
}

/* What was documented, and then downloaded so often that it comes steps after its text was written. */
static void finds_texts_that_were_written_steps_before(void **state)
{
	static const struct {
		const char *task;
		const char *between;
	} rounds[] = {
		{"bird", "UPDATE modules SET downloads = downloads + 1 WHERE id BETWEEN 2 AND 64"},
		{"horse", "UPDATE modules SET downloads = downloads + 1 WHERE id BETWEEN 2 AND 65"},
		{"whale", "UPDATE modules SET downloads = downloads + 1 WHERE id BETWEEN 2 AND 66"},
		{"snail", "UPDATE modules SET downloads = downloads + 1 WHERE id BETWEEN 2 AND 900"},
	};
	struct catalog *catalog = catalog_of(state);

	fill(*state);
	check_first(catalog, "many/m00001");
	for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
		document(catalog, "many/m00001/1", rounds[i].task);
		run_beside(*state,
			(const char *const[]){rounds[i].between,
				"UPDATE modules SET downloads = downloads + 1 WHERE id = 1"},
			2);
		assert_int_equal(count(catalog, NULL, rounds[i].task), 1);
		assert_int_equal(count(catalog, rounds[i].task, NULL), 1);
		for (size_t before = 0; before < i; before++) {
			assert_int_equal(count(catalog, NULL, rounds[before].task), 0);
			assert_int_equal(count(catalog, rounds[before].task, NULL), 0);
		}
	}
	assert_int_equal(catalog->search->built, 1);
}

/* ---- while another thread follows ---- */

struct reading {
	struct catalog *catalog;
	_Atomic bool stop;
};

static void *read_on(void *context)
{
	struct reading *reading = context;

	while (!atomic_load(&reading->stop)) {
		struct module_list list = ask(reading->catalog);

		assert_int_equal(list.total, MODULES);
		module_list_finish(&list);
	}
	return NULL;
}

/* Until somebody was seen to be answered while another was at it; without that, every turn waits for the
 * index and this never ends. */
static void many_changes_hold_nobody_up(void **state)
{
	static const int counts[] = {3900, 700, 65, 1};
	struct reading reading = {.catalog = catalog_of(state)};
	pthread_t readers[3];

	fill(*state);
	check_first(reading.catalog, "many/m00001");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_on, &reading), 0);
	for (int turn = 0; turn < 4 || atomic_load(&reading.catalog->search->behind) == 0; turn++)
		download(*state, counts[turn % 4]);
	atomic_store(&reading.stop, true);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_join(readers[i], NULL), 0);
	/* Whoever comes alone sees all. */
	run_beside(*state, (const char *const[]){"UPDATE modules SET downloads = id"}, 1);
	check_first(reading.catalog, "many/m04000");
}

/* Somebody else is at it, and does not know yet how far it is. */
static void *search_once(void *context)
{
	struct module_list list = ask(context);

	module_list_finish(&list);
	return NULL;
}

static int count_waiting(struct search *search)
{
	LOCKED(&search->following);

	return search->waiting;
}

/* Those that came before it was known how far it is are let go when it is, not when all is done. */
static void who_came_first_is_not_held_up_either(void **state)
{
	enum { THREADS = 3 };
	struct search *search = catalog_of(state)->search;
	pthread_t threads[THREADS];

	fill(*state);
	check_first(catalog_of(state), "many/m00001");
	for (int turn = 1; turn <= 3; turn++) {
		download(*state, 1 + 64 * turn);
		assert_true(search_begin_following(search));
		for (size_t i = 0; i < THREADS; i++)
			assert_int_equal(
				pthread_create(&threads[i], NULL, search_once, catalog_of(state)), 0);
		while (count_waiting(search) < THREADS)
			(void)sched_yield();
		search_set_far(search, true);
		for (size_t i = 0; i < THREADS; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(search->behind, turn * THREADS);
		search_end_following(search);
	}
	assert_int_equal(search->built, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_anew_by_the_share_that_changed),
		TEST(finds_texts_that_were_written_steps_before),
		TEST(many_changes_hold_nobody_up),
		TEST(who_came_first_is_not_held_up_either),
	};

	return cmocka_run_group_tests_name("search", tests, NULL, NULL);
}
