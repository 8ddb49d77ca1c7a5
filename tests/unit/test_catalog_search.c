/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of modules: filtered, counted, page by page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_publishers.h"
#include "server/store/catalog/catalog_search.h"
#include "server/store/catalog/catalog_versions.h"
#include "tests/unit/catalog_place.h"

/* How many match, with the first handle checked where one is given. */
static int64_t total_of(struct catalog *catalog, struct module_query query, const char *first)
{
	struct module_list list;
	struct err err = {0};
	int64_t total;

	query.limit = 200;
	if (!catalog_list_modules(catalog, &query, &list, &err))
		fail_msg("%s", err.text);
	total = list.total;
	assert_int_equal(total, list.count);
	if (first)
		assert_string_equal(list.items[0].handle, first);
	module_list_finish(&list);
	return total;
}

static void filters_modules(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct orphans orphans;

	(void)keep(catalog, "acme/Half_Plus-Two/1", FORMAT_TF_HUB, "1", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/halfXplus/1", FORMAT_TFJS, "2", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme-2/x/1", FORMAT_TFLITE, "3", SOURCE_MIRRORED);
	(void)keep(catalog, "zoo/a/b/1", FORMAT_TF_HUB, "4", SOURCE_MIRRORED);
	(void)keep(catalog, "zoo/gone/1", FORMAT_TF_HUB, "5", SOURCE_MIRRORED);
	assert_int_equal(withdraw(catalog, "zoo/gone/1", &orphans), ERR_NONE);
	forget(catalog, "4");
	const struct {
		const char *q;
		enum facet facet;
		const char *value;
		int64_t total;
		const char *first;
	} cases[] = {
		{NULL, 0, NULL, 4, "acme-2/x"},
		{NULL, FACET_PUBLISHER, "acme", 2, "acme/Half_Plus-Two"},
		{NULL, FACET_PUBLISHER, "acm", 0, NULL},
		{NULL, FACET_PUBLISHER, "zoo", 1, "zoo/a/b"},
		{"PLUS half", 0, NULL, 2, "acme/Half_Plus-Two"},
		{"  half_plus  ", 0, NULL, 1, "acme/Half_Plus-Two"},
		{"%", 0, NULL, 0, NULL},
		{"\\", 0, NULL, 0, NULL},
		{"half zoo", 0, NULL, 0, NULL},
		{"a a a a a a a a a a a a a a a a", 0, NULL, 4, NULL},
		{"x", FACET_PUBLISHER, "acme", 1, "acme/halfXplus"},
		{NULL, FACET_FORMAT, "tfjs", 1, "acme/halfXplus"},
		{NULL, FACET_FORMAT, "coral", 0, NULL},
		{NULL, FACET_SOURCE, "mirrored", 2, "acme-2/x"},
		{NULL, FACET_CACHED, "true", 3, NULL},
		{NULL, FACET_CACHED, "false", 1, "zoo/a/b"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct module_filter filter = {cases[i].facet, cases[i].value};
		struct module_query query = {
			.q = cases[i].q, .filters = &filter, .filter_count = filter.value != NULL};

		assert_int_equal(total_of(catalog, query, cases[i].first), cases[i].total);
	}
}

static void refuses_too_many_words(void **state)
{
	struct module_query query = {.q = "a a a a a a a a a a a a a a a a a", .limit = 1};
	struct module_list list;
	struct err err = {0};

	assert_false(catalog_list_modules(catalog_of(state), &query, &list, &err));
	assert_int_equal(err.code, ERR_BAD_REQUEST);
}

static void summarises_a_module(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct orphans orphans;
	struct module_list list;
	struct version_list versions;
	struct publisher_list publishers;
	struct err err = {0};

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "one", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/x/3", FORMAT_TF_HUB, "three", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/x/3", FORMAT_TFLITE, "lite", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/x/2", FORMAT_TF_HUB, "two", SOURCE_PUBLISHED);
	assert_int_equal(withdraw(catalog, "acme/x/2", &orphans), ERR_NONE);
	assert_true(catalog_list_modules(catalog, &(struct module_query){.limit = 5}, &list, &err));
	assert_int_equal(list.items[0].latest_version, 3);
	assert_int_equal(list.items[0].version_count, 2);
	assert_int_equal(list.items[0].versions[0], 1);
	assert_int_equal(list.items[0].versions[1], 3);
	assert_true(list.items[0].formats[FORMAT_TF_HUB] && list.items[0].formats[FORMAT_TFLITE]);
	assert_false(list.items[0].formats[FORMAT_TFJS]);
	assert_true(list.items[0].cached);
	assert_int_equal(list.items[0].size_bytes, 9);
	assert_int_equal(list.items[0].updated_at, NOW + 1);
	assert_string_equal(list.items[0].description, "");
	assert_null(list.next);
	assert_int_equal(list.items[0].active_count, 2);
	module_list_finish(&list);
	assert_true(catalog_list_versions(
		catalog, "acme/x", &(struct version_query){.limit = 5}, &versions, &err));
	assert_int_equal(versions.count, 3);
	assert_int_equal(versions.items[1].version, 2);
	assert_int_equal(versions.items[1].state, STATE_WITHDRAWN);
	version_list_finish(&versions);
	assert_true(
		catalog_list_publishers(catalog, &(struct publisher_query){.limit = 5}, &publishers, &err));
	assert_int_equal(publishers.count, 1);
	assert_int_equal(publishers.total, 1);
	assert_false(publishers.more);
	assert_string_equal(publishers.items[0].display_name, "acme");
	assert_int_equal(publishers.items[0].modules, 1);
	publisher_list_finish(&publishers);
}

static size_t page_through(
	struct catalog *catalog, struct version_query query, int64_t *out, size_t max, struct err *err)
{
	struct version_list list = {.more = true};
	size_t count = 0;

	while (list.more) {
		assert_true(catalog_list_versions(catalog, "acme/x", &query, &list, err));
		assert_true(count + list.count <= max);
		for (size_t i = 0; i < list.count; i++)
			out[count++] = query.after = list.items[i].version;
		version_list_finish(&(struct version_list){.items = list.items});
	}
	return count;
}

static void versions_come_in_pages_from_either_end(void **state)
{
	static const int64_t versions[] = {1, 2, 3, 1000, INT64_MAX - 1, INT64_MAX};
	enum { COUNT = sizeof versions / sizeof *versions };
	struct catalog *catalog = catalog_of(state);
	int64_t found[COUNT];
	struct err err = {0};

	for (size_t i = 0; i < COUNT; i++) {
		AUTO_FREE char *path = mem_printf("acme/x/%lld", (long long)versions[i]);

		(void)keep(catalog, path, FORMAT_TF_HUB, path, SOURCE_PUBLISHED);
	}
	for (size_t limit = 1; limit <= COUNT; limit++) {
		struct version_query query = {.limit = limit};

		assert_int_equal(page_through(catalog, query, found, COUNT, &err), COUNT);
		assert_memory_equal(found, versions, sizeof found);
		query.newest = true;
		assert_int_equal(page_through(catalog, query, found, COUNT, &err), COUNT);
		for (size_t i = 0; i < COUNT; i++)
			assert_int_equal(found[i], versions[COUNT - 1 - i]);
	}
}

/* ---- what a module says of itself ---- */

static size_t migrations_before(const char *name)
{
	size_t count = 0;

	while (!strstr(catalog_migrations[count].name, name))
		count++;
	return count;
}

/* Modules of one version, which has a head, of two, the second with a text, of three, the last with neither;
 * and such a one whose documented versions were withdrawn. */
static const char *const undescribed_rows[] = {
	"INSERT INTO publishers (id, name) VALUES (1, 'acme')",
	"INSERT INTO modules (id, publisher_id, handle) VALUES (1, 1, 'acme/one'), (2, 1, 'acme/two'),"
	" (3, 1, 'acme/three'), (4, 1, 'acme/four')",
	"INSERT INTO versions (id, module_id, version, source, description, created_at, updated_at)"
	" SELECT m.id * 10 + v.value, m.id, v.value, 'published', iif(v.value = 1, 'Halves', ''), 1, 1"
	" FROM modules m JOIN json_each('[1, 2, 3]') v ON v.value <= m.id",
	"UPDATE versions SET state = 'withdrawn' WHERE id IN (41, 42)",
	"INSERT INTO tags (version_id, kind, value) SELECT id, 'license', 'mit' FROM versions WHERE version "
	"= 1",
	"INSERT INTO documentation (version_id, markdown, body_at, updated_at)"
	" SELECT id, iif(version = 1, 'head body', 'text'), iif(version = 1, 5, 0), 1 FROM versions WHERE "
	"version < 3",
	"UPDATE modules SET latest_id = id * 10 + min(id, 3), latest_source = 'published'",
	"INSERT INTO module_texts (rowid, description, tags) SELECT * FROM current_texts",
	"INSERT INTO module_documents (rowid, documentation) SELECT * FROM current_documents",
};

/* Of three modules two have a version that was warned of; of one that is no more the latest. */
static const char *const unfiltered_findings[] = {
	"INSERT INTO publishers (id, name) VALUES (1, 'acme')",
	"INSERT INTO modules (id, publisher_id, handle) VALUES (1, 1, 'acme/one'), (2, 1, 'acme/two'),"
	" (3, 1, 'acme/three')",
	"INSERT INTO versions (id, module_id, version, source, created_at, updated_at) VALUES"
	" (11, 1, 1, 'mirrored', 1, 1), (21, 2, 1, 'mirrored', 1, 1), (22, 2, 2, 'mirrored', 1, 1),"
	" (31, 3, 1, 'mirrored', 1, 1)",
	"INSERT INTO blobs (id, digest, size_bytes, unpacked_bytes, file_count, cached, added_at)"
	" SELECT value, randomblob(32), 1, 1, 1, 1, 1 FROM json_each('[11, 21, 22, 31]')",
	"INSERT INTO artifacts (version_id, format, blob_id, created_at, last_used_at, source)"
	" SELECT id, 'tf-hub', id, 1, 1, 'mirrored' FROM versions",
	"INSERT INTO inspections (id, blob_id, format, listed) SELECT id, id, 'tf-hub', 1 FROM blobs",
	"INSERT INTO findings (inspection_id, position, severity, rule, path, message) VALUES"
	" (11, 0, 'warning', 'folder-missing', 'a', ''), (11, 1, 'warning', 'folder-missing', 'b', ''),"
	" (21, 0, 'warning', 'pbtxt-only', '', '')",
	"UPDATE modules SET latest_id = (SELECT max(id) FROM versions WHERE module_id = modules.id),"
	" latest_source = 'mirrored'",
};

/* A catalog from before this migration. */
static void make_old(const char *folder, const char *migration, const char *const *statements, size_t count)
{
	AUTO_FREE char *path = mem_printf("%s/larder.db", folder);
	struct err err = {0};
	struct db *db = NULL;
	AUTO_TXN struct txn *txn = NULL;

	if (!db_open(path, catalog_migrations, migrations_before(migration), &db, &err) ||
		!db_write(db, &txn, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < count; i++) {
		if (!txn_run(txn, statements[i], NULL, 0, &err))
			fail_msg("%s: %s", statements[i], err.text);
	}
	assert_true(txn_commit(txn, &err));
	txn_end(TAKE(txn));
	db_close(db);
}

/* Opened as it is now. */
static void migrate(
	struct place *place, const char *migration, const char *const *statements, size_t statement_count)
{
	AUTO_FREE char *command = mem_printf("rm -f '%s'/larder.db*", place->folder);
	struct err err = {0};

	catalog_close(TAKE(place->catalog));
	assert_int_equal(system(command), 0);
	make_old(place->folder, migration, statements, statement_count);
	if (!catalog_open(place->folder, &place->catalog, &err))
		fail_msg("%s", err.text);
}

static void a_migration_finds_findings(void **state)
{
	struct place *place = *state;
	struct module_filter filter = {FACET_FINDING, "folder-missing"};
	struct module_query query = {.filters = &filter, .filter_count = 1};

	migrate(place, "finding_facet", unfiltered_findings,
		sizeof unfiltered_findings / sizeof *unfiltered_findings);
	assert_int_equal(total_of(place->catalog, (struct module_query){0}, NULL), 3);
	assert_int_equal(total_of(place->catalog, query, "acme/one"), 1);
	filter.value = "pbtxt-only";
	assert_int_equal(total_of(place->catalog, query, NULL), 0);
}

static void a_migration_describes_what_is_there(void **state)
{
	struct place *place = *state;
	struct module_filter mit = {FACET_LICENSE, "mit"};

	migrate(place, "described", undescribed_rows, sizeof undescribed_rows / sizeof *undescribed_rows);
	assert_int_equal(total_of(place->catalog, (struct module_query){.q = "halves"}, NULL), 3);
	assert_int_equal(
		total_of(place->catalog, (struct module_query){.filters = &mit, .filter_count = 1}, NULL), 2);
	assert_int_equal(total_of(place->catalog, (struct module_query){.q = "body"}, "acme/one"), 1);
	assert_int_equal(total_of(place->catalog, (struct module_query){.q = "text"}, NULL), 2);
	assert_int_equal(total_of(place->catalog, (struct module_query){0}, NULL), 4);
}

enum { MANY = 5000, PAGE = 200 };

static void pages_stay_stable(void **state)
{
	static const char *const fill[] = {
		"INSERT INTO publishers (id, name) VALUES (1, 'many')",
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
		" INSERT INTO modules (id, publisher_id, handle) SELECT i, 1, printf('many/m%05d', i) FROM n",
		"INSERT INTO versions (id, module_id, version, source, created_at, updated_at)"
		" SELECT id, id, 1, 'listed', 1, 1 FROM modules",
		"UPDATE modules SET latest_id = id, latest_source = 'listed'",
	};
	struct catalog *catalog = catalog_of(state);
	struct err err = {0};
	char last[NAME_PATH_MAX + 1] = "";
	AUTO_FREE char *after = mem_dup("");
	size_t seen = 0;

	run_beside(*state, fill, sizeof fill / sizeof *fill);
	while (after) {
		struct module_query query = {.q = "M", .after = after, .sort = SORT_NAME, .limit = PAGE};
		struct module_list list;

		assert_true(catalog_list_modules(catalog, &query, &list, &err));
		assert_true(list.total >= MANY);
		for (size_t i = 0; i < list.count; i++) {
			assert_true(strcmp(list.items[i].handle, last) > 0);
			(void)snprintf(last, sizeof last, "%s", list.items[i].handle);
		}
		seen += list.count;
		free(after);
		after = TAKE(list.next);
		module_list_finish(&list);
		/* What comes in before the page does not move it. */
		if (seen == PAGE)
			(void)keep(catalog, "many/m00000/1", FORMAT_TF_HUB, "new", SOURCE_MIRRORED);
	}
	assert_int_equal(seen, MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(filters_modules),
		TEST(refuses_too_many_words),
		TEST(summarises_a_module),
		TEST(versions_come_in_pages_from_either_end),
		TEST(a_migration_describes_what_is_there),
		TEST(a_migration_finds_findings),
		TEST(pages_stay_stable),
	};

	return cmocka_run_group_tests_name("catalog_search", tests, NULL, NULL);
}
