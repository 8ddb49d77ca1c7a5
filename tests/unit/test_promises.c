/* SPDX-License-Identifier: Apache-2.0
 *
 * What was published is so for ever, by artifact; and no upstream's bytes enter what was published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_space.h"
#include "server/store/catalog/catalog_versions.h"
#include "tests/unit/catalog_place.h"

static enum err_code keep_as(struct catalog *catalog, const char *path, enum format format,
	const char *content, enum version_source source)
{
	struct wish wish = {path, format, content, source, NULL};
	struct err err = {0};
	enum kept kept;

	return try_keep(catalog, &wish, &kept, &err) ? ERR_NONE : err.code;
}

static bool take_any(void *context, const struct digest *digest, int64_t size_bytes)
{
	(void)context;
	(void)digest;
	(void)size_bytes;
	return true;
}

/* How many blobs go where all that may go does. */
static size_t evict_all(struct catalog *catalog)
{
	struct eviction eviction = {.wanted_bytes = INT64_MAX, .max_blobs = 1000};
	struct err err = {0};

	if (!catalog_evict(catalog, &eviction, take_any, NULL, &err))
		fail_msg("%s", err.text);
	return eviction.count;
}

static int64_t mirrored_bytes(struct catalog *catalog)
{
	struct err err = {0};
	int64_t bytes = -1;

	assert_true(catalog_mirrored_bytes(catalog, &bytes, &err));
	return bytes;
}

static void assert_published(
	struct catalog *catalog, const char *path, enum format format, const char *upstream)
{
	struct name name = name_of(path, format);
	struct version_details details;
	struct err err = {0};
	bool found = false;
	size_t at = 0;

	assert_true(catalog_find_version(catalog, &name, &details, &found, &err) && found);
	assert_int_equal(details.source, SOURCE_PUBLISHED);
	assert_string_equal(details.published_by, "ci");
	if (upstream)
		assert_string_equal(details.upstream, upstream);
	while (at < details.artifact_count && details.artifacts[at].artifact.name.format != format)
		at++;
	assert_true(at < details.artifact_count);
	assert_int_equal(details.artifacts[at].artifact.source, SOURCE_PUBLISHED);
	assert_string_equal(details.artifacts[at].published_by, "ci");
	assert_null(details.artifacts[at].upstream);
	assert_true(details.artifacts[at].artifact.cached);
	version_details_finish(&details);
}

/* Each format beside each other one that had been mirrored before. */
static void a_published_format_stays_beside_mirrored_ones(void **state)
{
	struct catalog *catalog = catalog_of(state);
	size_t pairs = 0;
	bool found;

	for (enum format before = 0; before < FORMAT_COUNT; before++) {
		for (enum format after = 0; after < FORMAT_COUNT; after++) {
			AUTO_FREE char *path = mem_printf("acme/of-%d-%d/1", before, after);
			AUTO_FREE char *theirs = mem_printf("theirs %d %d", before, after);
			AUTO_FREE char *ours = mem_printf("ours %d %d", before, after);

			if (before == after)
				continue;
			pairs++;
			assert_int_equal(
				keep(catalog, path, before, theirs, SOURCE_MIRRORED), KEPT_NEW_VERSION);
			assert_int_equal(
				keep(catalog, path, after, ours, SOURCE_PUBLISHED), KEPT_NEW_ARTIFACT);
			assert_published(catalog, path, after, "tfhub");
			assert_int_equal(find(catalog, path, before, &found).source, SOURCE_MIRRORED);
		}
	}
	assert_int_equal(evict_all(catalog), pairs);
	assert_int_equal(mirrored_bytes(catalog), 0);
	for (enum format format = 1; format < FORMAT_COUNT; format++) {
		AUTO_FREE char *path = mem_printf("acme/of-0-%d/1", format);
		AUTO_FREE char *theirs = mem_printf("theirs 0 %d", format);

		assert_published(catalog, path, format, "tfhub");
		/* What was there before comes back, and nothing else does. */
		assert_false(find(catalog, path, FORMAT_TF_HUB, &found).cached);
		assert_int_equal(
			keep_as(catalog, path, FORMAT_TF_HUB, "changed", SOURCE_MIRRORED), ERR_QUARANTINED);
		assert_int_equal(keep(catalog, path, FORMAT_TF_HUB, theirs, SOURCE_MIRRORED), KEPT_AGAIN);
		assert_true(find(catalog, path, FORMAT_TF_HUB, &found).cached);
	}
}

static void publishing_what_was_mirrored_publishes_it(void **state)
{
	struct catalog *catalog = catalog_of(state);

	for (enum format format = 0; format < FORMAT_COUNT; format++) {
		AUTO_FREE char *path = mem_printf("acme/same-%d/1", format);
		AUTO_FREE char *content = mem_printf("same %d", format);

		assert_int_equal(keep(catalog, path, format, content, SOURCE_MIRRORED), KEPT_NEW_VERSION);
		assert_int_equal(keep(catalog, path, format, content, SOURCE_PUBLISHED), KEPT_AGAIN);
		assert_int_equal(keep(catalog, path, format, content, SOURCE_PUBLISHED), KEPT_AGAIN);
		assert_int_equal(keep(catalog, path, format, content, SOURCE_MIRRORED), KEPT_AGAIN);
		assert_published(catalog, path, format, "tfhub");
	}
	assert_int_equal(mirrored_bytes(catalog), 0);
	assert_int_equal(evict_all(catalog), 0);
	assert_int_equal(
		ask_beside(*state, "SELECT count(*) FROM audit WHERE action = 'publish' AND who = 'ci'"
				   " AND subject LIKE 'acme/same-%/1' AND detail LIKE '%: sha256:%'"),
		FORMAT_COUNT);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM modules WHERE latest_source = 'published'"),
		FORMAT_COUNT);
	assert_int_equal(
		ask_beside(*state,
			"SELECT count(*) FROM module_facets m JOIN facet_values f ON f.id = m.value_id"
			" WHERE f.facet = 'source' AND f.value <> 'published'"),
		0);
}

static void no_upstream_enters_what_is_published(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct err err = {0};
	bool found;

	for (enum format ours = 0; ours < FORMAT_COUNT; ours++) {
		AUTO_FREE char *path = mem_printf("acme/ours-%d/1", ours);

		(void)keep(catalog, path, ours, "ours", SOURCE_PUBLISHED);
		for (enum format theirs = 0; theirs < FORMAT_COUNT; theirs++) {
			struct artifact artifact = find(catalog, path, theirs, &found);

			assert_int_equal(artifact_check_published(&artifact, &err), theirs == ours);
			if (theirs == ours)
				continue;
			assert_int_equal(err.code, ERR_NOT_FOUND);
			assert_int_equal(
				keep_as(catalog, path, theirs, "theirs", SOURCE_MIRRORED), ERR_NOT_FOUND);
			assert_false(find(catalog, path, theirs, &found).recorded);
		}
		/* The team's own still may. */
		assert_int_equal(keep_as(catalog, path, (ours + 1) % FORMAT_COUNT, "more", SOURCE_PUBLISHED),
			ERR_NONE);
	}
	assert_false(is_claimed(catalog, "theirs"));
	/* What is not known, or was mirrored, may be asked for. */
	(void)keep(catalog, "google/x/1", FORMAT_TF_HUB, "theirs", SOURCE_MIRRORED);
	assert_true(artifact_check_published(&(struct artifact){.name = name_of("google/x/1", FORMAT_TFJS),
						     .version_source = SOURCE_MIRRORED},
		&err));
	struct artifact unknown = find(catalog, "google/y/1", FORMAT_TFJS, &found);
	assert_false(found);
	assert_true(artifact_check_published(&unknown, &err));
}

/* Whatever is wrong above it. */
static void the_database_takes_nothing_of_a_stranger_s_into_what_is_published(void **state)
{
	static const char *const others[] = {"tfjs", "tflite", "coral"};
	struct place *place = *state;
	struct db *db;
	struct err err = {0};

	(void)keep(place->catalog, "acme/ours/1", FORMAT_TF_HUB, "ours", SOURCE_PUBLISHED);
	(void)keep(place->catalog, "google/theirs/1", FORMAT_TF_HUB, "theirs", SOURCE_MIRRORED);
	db = open_beside(place);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		AUTO_FREE char *into_ours =
			mem_printf("INSERT INTO artifacts (version_id, format, blob_id, created_at, "
				   "last_used_at, source)"
				   " SELECT v.id, '%s', b.id, 1, 1, 'mirrored' FROM versions v, blobs b"
				   " WHERE v.source = 'published' LIMIT 1",
				others[i]);
		AUTO_TXN struct txn *txn = NULL;

		assert_true(db_write(db, &txn, &err));
		assert_false(txn_run(txn, into_ours, NULL, 0, &err));
		assert_non_null(strstr(err.text, "a published version takes no mirrored artifact"));
	}
	db_close(db);
}

/* ---- what earlier versions left ---- */

/* How many migrations there were before artifacts knew who brought them. */
static size_t old_migrations(void)
{
	size_t count = 0;

	while (!strstr(catalog_migrations[count].name, "promises"))
		count++;
	return count;
}

#define HUB \
	"x'" \
	"0000000000000000000000000000000000000000000000000000000000000001'"
#define JS \
	"x'" \
	"0000000000000000000000000000000000000000000000000000000000000002'"
#define LITE \
	"x'" \
	"00000000000000000000000000000000000000000000000000000000000000ab'"

static const char *const old_rows[] = {
	"INSERT INTO publishers (id, name) VALUES (1, 'acme')",
	"INSERT INTO modules (id, publisher_id, handle) VALUES (1, 1, 'acme/mixed'), (2, 1, 'acme/ours'),"
	" (3, 1, 'acme/theirs'), (4, 1, 'acme/silent')",
	"INSERT INTO versions (id, module_id, version, source, published_by, upstream, created_at, "
	"updated_at) VALUES"
	" (1, 1, 7, 'mirrored', NULL, 'tfhub', 1, 1), (2, 2, 1, 'published', 'ci', NULL, 1, 1),"
	" (3, 3, 1, 'mirrored', NULL, 'tfhub', 1, 1), (4, 4, 1, 'published', 'ci', NULL, 1, 1)",
	"UPDATE modules SET latest_id = id, latest_source = (SELECT source FROM versions v WHERE v.id = "
	"modules.id)",
	"INSERT INTO blobs (id, digest, md5, size_bytes, unpacked_bytes, file_count, cached, added_at) VALUES"
	" (1, " HUB ", zeroblob(16), 10, 10, 1, 1, 1), (2, " JS ", zeroblob(16), 100, 10, 1, 1, 1),"
	" (3, " LITE ", zeroblob(16), 1000, 10, 1, 1, 1)",
	/* mixed: tf-hub mirrored, tfjs published. ours: tflite published, tf-hub a stranger's. */
	"INSERT INTO artifacts (version_id, format, blob_id, created_at, last_used_at) VALUES"
	" (1, 'tf-hub', 1, 1, 1), (1, 'tfjs', 2, 1, 1), (2, 'tflite', 3, 1, 1), (2, 'tf-hub', 1, 1, 1),"
	" (3, 'tf-hub', 1, 1, 1), (4, 'tfjs', 2, 1, 1)",
	"INSERT INTO audit (at, who, action, subject, detail) VALUES"
	" (1, 'ci', 'publish', 'acme/mixed/7', 'tfjs: sha256:' || lower(hex(" JS "))),"
	" (1, 'ci', 'publish', 'acme/mixed/7', 'tf-hub: sha256:' || lower(hex(" LITE "))),"
	" (1, 'ci', 'publish', 'acme/ours/1', 'tflite: sha256:' || lower(hex(" LITE "))),"
	" (1, 'ci', 'withdraw', 'acme/theirs/1', 'tf-hub: sha256:' || lower(hex(" HUB ")))",
};

static void make_old(const char *folder)
{
	AUTO_FREE char *path = mem_printf("%s/larder.db", folder);
	struct err err = {0};
	struct db *db = NULL;
	AUTO_TXN struct txn *txn = NULL;

	if (!db_open(path, catalog_migrations, old_migrations(), &db, &err) || !db_write(db, &txn, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < sizeof old_rows / sizeof *old_rows; i++) {
		if (!txn_run(txn, old_rows[i], NULL, 0, &err))
			fail_msg("%s: %s", old_rows[i], err.text);
	}
	assert_true(txn_commit(txn, &err));
	txn_end(TAKE(txn));
	db_close(db);
}

static void a_migration_mends_what_is_there(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *command = mem_printf("rm -f '%s'/larder.db*", place->folder);
	struct err err = {0};
	bool found;

	catalog_close(TAKE(place->catalog));
	assert_int_equal(system(command), 0);
	make_old(place->folder);
	if (!catalog_open(place->folder, &place->catalog, &err))
		fail_msg("%s", err.text);
	assert_published(place->catalog, "acme/mixed/7", FORMAT_TFJS, "tfhub");
	assert_int_equal(find(place->catalog, "acme/mixed/7", FORMAT_TF_HUB, &found).source, SOURCE_MIRRORED);
	assert_published(place->catalog, "acme/ours/1", FORMAT_TFLITE, NULL);
	assert_int_equal(find(place->catalog, "acme/ours/1", FORMAT_TF_HUB, &found).source, SOURCE_MIRRORED);
	assert_int_equal(
		find(place->catalog, "acme/theirs/1", FORMAT_TF_HUB, &found).version_source, SOURCE_MIRRORED);
	/* The audit log says nothing of it: it is rather kept. */
	assert_published(place->catalog, "acme/silent/1", FORMAT_TFJS, NULL);
	/* Its MD5 is nothing that has to be computed again. */
	assert_true(find(place->catalog, "acme/mixed/7", FORMAT_TFJS, &found).checksums.has_md5);
	assert_int_equal(mirrored_bytes(place->catalog), 10);
	assert_int_equal(
		ask_beside(place, "SELECT count(*) FROM modules WHERE latest_source = 'published'"), 3);
	assert_int_equal(
		ask_beside(place,
			"SELECT count(*) FROM module_facets m JOIN facet_values f ON f.id = m.value_id"
			" WHERE f.facet = 'source' AND f.value = 'published'"),
		3);
	assert_int_equal(evict_all(place->catalog), 1);
	assert_true(find(place->catalog, "acme/mixed/7", FORMAT_TFJS, &found).cached);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_published_format_stays_beside_mirrored_ones),
		TEST(publishing_what_was_mirrored_publishes_it),
		TEST(no_upstream_enters_what_is_published),
		TEST(the_database_takes_nothing_of_a_stranger_s_into_what_is_published),
		TEST(a_migration_mends_what_is_there),
	};

	return cmocka_run_group_tests_name("promises", tests, NULL, NULL);
}
