/* SPDX-License-Identifier: Apache-2.0
 *
 * Versions, artifacts, documentation, absences and tokens: what is kept, refused and forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "server/module/documents/hubdoc.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_documentation.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/store/catalog/catalog_known.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_search.h"
#include "server/store/catalog/catalog_tokens.h"
#include "server/store/catalog/catalog_versions.h"
#include "server/store/catalog/catalog_wants.h"
#include "tests/unit/catalog_place.h"

/* ---- keeping ---- */

static void keeps_and_finds(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct checksums checksums = checksums_of("bytes");
	struct artifact artifact;
	bool found = true;

	(void)find(catalog, "acme/x/1", FORMAT_TF_HUB, &found);
	assert_false(found);
	assert_int_equal(
		keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED), KEPT_NEW_VERSION);
	assert_int_equal(
		keep(catalog, "acme/x/1", FORMAT_TFJS, "others", SOURCE_PUBLISHED), KEPT_NEW_ARTIFACT);
	assert_int_equal(keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED), KEPT_AGAIN);
	reopen(*state);
	catalog = catalog_of(state);
	artifact = find(catalog, "acme/x/1", FORMAT_TF_HUB, &found);
	assert_true(found && artifact.recorded && artifact.cached);
	assert_int_equal(artifact.source, SOURCE_PUBLISHED);
	assert_int_equal(artifact.state, STATE_ACTIVE);
	assert_string_equal(artifact.checksums.sha256.hex, checksums.sha256.hex);
	assert_memory_equal(artifact.checksums.md5, checksums.md5, 16);
	assert_int_equal(artifact.size_bytes, 5);
	assert_int_equal(artifact.unpacked_bytes, 30);
	assert_int_equal(artifact.file_count, 2);
	assert_int_equal(artifact.created_at, NOW);
	artifact = find(catalog, "acme/x/1", FORMAT_TFLITE, &found);
	assert_true(found && !artifact.recorded && !artifact.cached);
	(void)find(catalog, "acme/x/2", FORMAT_TF_HUB, &found);
	assert_false(found);
	assert_int_equal(
		ask_beside(*state, "SELECT count(*) FROM audit WHERE action = 'publish' AND who = 'ci'"), 2);
}

static void identity_does_not_change(void **state)
{
	static const struct {
		enum version_source before, after;
		enum err_code code;
	} cases[] = {
		{SOURCE_PUBLISHED, SOURCE_PUBLISHED, ERR_CONFLICT},
		{SOURCE_PUBLISHED, SOURCE_MIRRORED, ERR_CONFLICT},
		{SOURCE_MIRRORED, SOURCE_PUBLISHED, ERR_CONFLICT},
		{SOURCE_MIRRORED, SOURCE_MIRRORED, ERR_QUARANTINED},
	};
	struct catalog *catalog = catalog_of(state);
	struct digest before = digest_of("before", 6);
	bool found;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *path = mem_printf("acme/case-%zu/1", i);

		(void)keep(catalog, path, FORMAT_TF_HUB, "before", cases[i].before);
		assert_int_equal(refusal(catalog, path, "after", cases[i].after), cases[i].code);
		assert_string_equal(
			find(catalog, path, FORMAT_TF_HUB, &found).checksums.sha256.hex, before.hex);
		assert_int_equal(refusal(catalog, path, "before", cases[i].after), ERR_NONE);
	}
	assert_false(is_claimed(catalog, "after"));
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM audit WHERE action = 'quarantine'"
					    " AND detail LIKE '%sha256:%sha256:%'"),
		1);
}

static void eviction_keeps_the_digest(void **state)
{
	struct catalog *catalog = catalog_of(state);
	bool found;

	(void)keep(catalog, "google/x/1", FORMAT_TF_HUB, "bytes", SOURCE_MIRRORED);
	assert_true(is_claimed(catalog, "bytes"));
	forget(catalog, "bytes");
	forget(catalog, "never seen");
	assert_false(is_claimed(catalog, "bytes"));
	assert_false(find(catalog, "google/x/1", FORMAT_TF_HUB, &found).cached);
	assert_int_equal(refusal(catalog, "google/x/1", "changed", SOURCE_MIRRORED), ERR_QUARANTINED);
	assert_int_equal(keep(catalog, "google/x/1", FORMAT_TF_HUB, "bytes", SOURCE_MIRRORED), KEPT_AGAIN);
	assert_true(find(catalog, "google/x/1", FORMAT_TF_HUB, &found).cached);
}

static void withdraws_for_good(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct orphans orphans;
	struct digest alone = digest_of("alone", 5);
	bool found;

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "shared", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/x/1", FORMAT_TFJS, "alone", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/y/1", FORMAT_TF_HUB, "shared", SOURCE_PUBLISHED);
	assert_int_equal(withdraw(catalog, "acme/x/9", &orphans), ERR_NOT_FOUND);
	assert_int_equal(withdraw(catalog, "acme/x/1", &orphans), ERR_NONE);
	assert_int_equal(orphans.count, 1);
	assert_string_equal(orphans.digests[0].hex, alone.hex);
	assert_false(is_claimed(catalog, "alone"));
	assert_true(is_claimed(catalog, "shared"));
	assert_int_equal(find(catalog, "acme/x/1", FORMAT_TF_HUB, &found).state, STATE_WITHDRAWN);
	assert_int_equal(withdraw(catalog, "acme/x/1", &orphans), ERR_GONE);
	assert_int_equal(refusal(catalog, "acme/x/1", "shared", SOURCE_PUBLISHED), ERR_GONE);
	assert_int_equal(withdraw(catalog, "acme/y/1", &orphans), ERR_NONE);
	assert_int_equal(orphans.count, 1);
	assert_false(is_claimed(catalog, "shared"));
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM audit WHERE action = 'withdraw'"), 2);
}

static void one_blob_is_inspected_once(void **state)
{
	struct catalog *catalog = catalog_of(state);

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "same", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/y/1", FORMAT_TF_HUB, "same", SOURCE_PUBLISHED);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM blobs"), 1);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM members"), 3);
	(void)keep(catalog, "acme/y/1", FORMAT_TFJS, "same", SOURCE_PUBLISHED);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM inspections"), 2);
}

static void a_listed_version_becomes_real(void **state)
{
	static const char *const listed[] = {
		"INSERT INTO publishers (id, name) VALUES (7, 'google')",
		"INSERT INTO modules (id, publisher_id, handle) VALUES (8, 7, 'google/x')",
		"INSERT INTO versions (id, module_id, version, source, description, created_at, updated_at)"
		" VALUES (9, 8, 1, 'listed', 'A text module.', 5, 5)",
		"UPDATE modules SET latest_id = 9, latest_source = 'listed' WHERE id = 8",
	};
	struct catalog *catalog = catalog_of(state);
	struct module_list list;
	struct artifact artifact;
	struct err err = {0};
	bool found;

	run_beside(*state, listed, sizeof listed / sizeof *listed);
	artifact = find(catalog, "google/x/1", FORMAT_TF_HUB, &found);
	assert_true(found && !artifact.recorded);
	assert_int_equal(artifact.source, SOURCE_LISTED);
	assert_int_equal(
		keep(catalog, "google/x/1", FORMAT_TF_HUB, "bytes", SOURCE_MIRRORED), KEPT_NEW_VERSION);
	assert_int_equal(find(catalog, "google/x/1", FORMAT_TF_HUB, &found).source, SOURCE_MIRRORED);
	assert_true(catalog_list_modules(catalog, &(struct module_query){.limit = 10}, &list, &err));
	assert_int_equal(list.count, 1);
	assert_string_equal(list.items[0].description, "A text module.");
	assert_int_equal(list.items[0].source, SOURCE_MIRRORED);
	module_list_finish(&list);
}

static void counts_downloads(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct name name = name_of("acme/x/1", FORMAT_TF_HUB);
	struct name unknown = name_of("acme/unknown/1", FORMAT_TF_HUB);
	struct catalog_totals totals;
	struct err err = {0};
	bool found;

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED);
	assert_true(catalog_count_downloads(catalog, &(struct downloads){name, 3, NOW + 5}, 1, &err));
	assert_true(catalog_count_downloads(catalog, &(struct downloads){name, 4, NOW + 6}, 1, &err));
	assert_true(catalog_count_downloads(catalog, &(struct downloads){unknown, 4, NOW + 6}, 1, &err));
	assert_int_equal(find(catalog, "acme/x/1", FORMAT_TF_HUB, &found).downloads, 7);
	assert_true(catalog_count(catalog, &totals, &err));
	assert_int_equal(totals.downloads, 7);
	assert_int_equal(totals.modules, 1);
	assert_int_equal(totals.versions, 1);
	assert_int_equal(totals.artifacts, 1);
	assert_int_equal(totals.cached_artifacts, 1);
	assert_int_equal(totals.blobs, 1);
	assert_int_equal(totals.blob_bytes, 5);
	assert_true(catalog_check(catalog, &err));
	assert_true(catalog_check(catalog, &err));
}

/* ---- documentation ---- */

static enum err_code document(struct catalog *catalog, const char *path, const char *markdown, bool *created)
{
	struct name name = name_of(path, FORMAT_TF_HUB);
	struct hubdoc *head = NULL;
	struct err err = {0};
	bool is_one, done;
	size_t line;

	assert_true(hubdoc_read(markdown, &head, &is_one, &line, &err));
	done = catalog_set_documentation(
		catalog, &name, &(struct documentation){markdown, head, "ci", NOW}, created, &err);
	hubdoc_destroy(head);
	return done ? ERR_NONE : err.code;
}

static void documents_a_version(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct name name = name_of("acme/x/1", FORMAT_TF_HUB);
	struct orphans orphans;
	struct err err = {0};
	char *markdown = NULL;
	bool created = false;

	assert_int_equal(document(catalog, "acme/x/1", "# X", &created), ERR_NOT_FOUND);
	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED);
	assert_true(catalog_find_documentation(catalog, &name, &markdown, &err));
	assert_null(markdown);
	assert_int_equal(document(catalog, "acme/x/1", "# X", &created), ERR_NONE);
	assert_true(created);
	assert_int_equal(document(catalog, "acme/x/1", "# Y", &created), ERR_NONE);
	assert_false(created);
	assert_true(catalog_find_documentation(catalog, &name, &markdown, &err));
	assert_string_equal(markdown, "# Y");
	free(markdown);
	assert_int_equal(withdraw(catalog, "acme/x/1", &orphans), ERR_NONE);
	assert_int_equal(document(catalog, "acme/x/1", "# Z", &created), ERR_GONE);
}

static void documentation_makes_tags(void **state)
{
	static const char with_head[] = "# Placeholder acme/x/1\nÜber.\n<!-- task: b -->\n<!-- task: a -->\n"
					"<!-- language: Ä -->\n# Body\n";
	struct catalog *catalog = catalog_of(state);
	struct name name = name_of("acme/x/1", FORMAT_TF_HUB);
	struct version_details details;
	struct err err = {0};
	bool created, found;

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED);
	assert_int_equal(document(catalog, "acme/x/1", with_head, &created), ERR_NONE);
	assert_true(catalog_find_version(catalog, &name, &details, &found, &err));
	assert_string_equal(details.description, "Über.");
	assert_int_equal(details.tags.count, 3);
	assert_string_equal(details.tags.items[1].kind, "task");
	assert_string_equal(details.tags.items[1].value, "a");
	version_details_finish(&details);
	assert_int_equal(
		ask_beside(*state,
			"SELECT count(*) FROM current_documents WHERE documentation = '# Body' || char(10)"),
		1);
	/* Free text says none of this. */
	assert_int_equal(document(catalog, "acme/x/1", "# Y", &created), ERR_NONE);
	assert_true(catalog_find_version(catalog, &name, &details, &found, &err));
	assert_string_equal(details.description, "");
	assert_int_equal(details.tags.count, 0);
	version_details_finish(&details);
}

/* ---- absences and tokens ---- */

static struct absence absence_at(struct catalog *catalog, const struct name *name, int64_t now_s)
{
	struct known known;
	struct err err;

	if (!catalog_look(catalog, name, now_s, &known, &err))
		fail_msg("%s", err.text);
	return known.absence;
}

static void absences_expire(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct name name = name_of("google/absent/1", FORMAT_TF_HUB);
	struct name other = name_of("google/absent/1", FORMAT_TFJS);
	struct err err = {0};
	struct absence absence;
	const struct absence first = {NOW + 10, {.code = ERR_NOT_FOUND, .text = "no upstream has it"}};
	const struct absence second = {NOW + 20, {.code = ERR_UPSTREAM_FAILED, .text = "it answered 401"}};

	assert_int_equal(absence_at(catalog, &name, NOW).until_s, 0);
	assert_true(catalog_remember_absent(catalog, &name, &first, &err));
	absence = absence_at(catalog, &name, NOW);
	assert_int_equal(absence.answer.code, ERR_NOT_FOUND);
	assert_true(catalog_remember_absent(catalog, &name, &second, &err));
	absence = absence_at(catalog, &name, NOW + 19);
	assert_int_equal(absence.until_s, NOW + 20);
	assert_int_equal(absence.answer.code, ERR_UPSTREAM_FAILED);
	assert_string_equal(absence.answer.text, "it answered 401");
	assert_int_equal(absence_at(catalog, &name, NOW + 20).until_s, 0);
	assert_int_equal(absence_at(catalog, &other, NOW).until_s, 0);
}

/* ---- what was asked for offline ---- */

static void want(struct catalog *catalog, const char *client, int64_t from, int64_t to)
{
	AUTO_FREE struct want *wants = mem_zero((size_t)(to - from), sizeof *wants);
	struct err err;

	for (int64_t i = from; i < to; i++) {
		struct want *one = &wants[i - from];

		*one = (struct want){
			.times = 1, .last_at = NOW + i, .asker = digest_of(client, strlen(client))};
		(void)snprintf(one->name.handle, sizeof one->name.handle, "%s/m%" PRId64, client, i);
		one->name.version = 1;
	}
	if (!catalog_add_wants(catalog, wants, (size_t)(to - from), &err))
		fail_msg("%s", err.text);
}

static int64_t count_wants(struct catalog *catalog, const char *client)
{
	struct name after = {.version = 1};
	struct want_list list;
	struct err err;
	int64_t count = 0;

	do {
		if (!catalog_list_wants(catalog, &after, 500, &list, &err))
			fail_msg("%s", err.text);
		for (size_t i = 0; i < list.count; i++) {
			after = list.items[i].name;
			count += strncmp(after.handle, client, strlen(client)) == 0;
		}
		free(list.items);
	} while (list.more);
	return count;
}

/* What goes is a client's own, the least wanted first; and all of them together have an end. */
static void wants_are_bounded(void **state)
{
	struct catalog *catalog = catalog_of(state);
	char client[16];
	int64_t cleared;
	struct err err;

	want(catalog, "honest", 0, 10);
	want(catalog, "honest", 0, 10);
	want(catalog, "stranger", 0, WANTS_OF_A_CLIENT + 300);
	assert_int_equal(count_wants(catalog, "honest"), 10);
	assert_int_equal(count_wants(catalog, "stranger"), WANTS_OF_A_CLIENT);
	assert_int_equal(count_wants(catalog, "stranger/m299"), 0);
	want(catalog, "stranger", 299, 300);
	assert_int_equal(count_wants(catalog, "stranger/m299"), 0); /* the oldest again */
	for (int i = 0; i < WANTS_MAX / WANTS_OF_A_CLIENT + 1; i++) {
		(void)snprintf(client, sizeof client, "s%d", i);
		want(catalog, client, 5000, 5000 + WANTS_OF_A_CLIENT);
	}
	assert_int_equal(count_wants(catalog, ""), WANTS_MAX);
	assert_int_equal(count_wants(catalog, "honest"), 10); /* asked for twice */
	assert_true(catalog_clear_wants(catalog, &cleared, &err));
	assert_int_equal(cleared, WANTS_MAX);
	assert_int_equal(count_wants(catalog, ""), 0);
}

static enum err_code add_token(
	struct catalog *catalog, const char *name, const char *secret, int64_t now_s, int64_t expires_at)
{
	struct digest hash = digest_of(secret, strlen(secret));
	struct err err = {0};

	return catalog_add_token(catalog, name, &hash, "read publish:acme/*", now_s, expires_at, &err)
		       ? ERR_NONE
		       : err.code;
}

static void tokens_live_and_end(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct digest hash = digest_of("s3", 2);
	struct token_secret *tokens;
	struct err err = {0};
	size_t count = 9;

	assert_true(catalog_list_tokens(catalog, &tokens, &count, &err));
	assert_int_equal(count, 0);
	token_secrets_destroy(tokens, count);
	assert_int_equal(add_token(catalog, "ci", "s1", NOW, NOW + 10), ERR_NONE);
	assert_int_equal(add_token(catalog, "ci", "s2", NOW + 9, 0), ERR_CONFLICT);
	assert_int_equal(add_token(catalog, "ci", "s2", NOW + 10, 0), ERR_NONE);
	assert_true(catalog_revoke_token(catalog, "ci", NOW + 11, &err));
	assert_false(catalog_revoke_token(catalog, "ci", NOW + 11, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(add_token(catalog, "ci", "s3", NOW + 12, 0), ERR_NONE);
	assert_true(catalog_list_tokens(catalog, &tokens, &count, &err));
	assert_int_equal(count, 3);
	assert_string_equal(tokens[0].row.name, "ci");
	assert_string_equal(tokens[0].row.scopes, "read publish:acme/*");
	assert_int_equal(tokens[0].row.revoked_at, 0);
	assert_true(digest_equal(&tokens[0].hash, &hash));
	assert_int_equal(tokens[1].row.revoked_at, NOW + 11);
	assert_int_equal(tokens[2].row.expires_at, NOW + 10);
	token_secrets_destroy(tokens, count);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM audit WHERE action LIKE 'token-%'"), 4);
}

static int64_t quarantined_at(struct catalog *catalog, const char *path, enum format format)
{
	struct name name = name_of(path, format);
	struct known known;
	struct err err = {0};

	if (!catalog_look(catalog, &name, NOW, &known, &err))
		fail_msg("%s", err.text);
	return known.quarantined_at_s;
}

/* Whatever the audit log tells people, it decides nothing. */
static void a_quarantine_is_a_row_of_its_own(void **state)
{
	struct catalog *catalog = catalog_of(state);
	const char *const prose[] = {
		"INSERT INTO audit (at, action, subject, detail)"
		" VALUES (1700000000, 'quarantine', 'acme/told/1', 'tf-hub: other bytes')"};

	(void)keep(catalog, "acme/x/12", FORMAT_TF_HUB, "before", SOURCE_MIRRORED);
	assert_int_equal(refusal(catalog, "acme/x/12", "after", SOURCE_MIRRORED), ERR_QUARANTINED);
	assert_int_equal(quarantined_at(catalog, "acme/x/12", FORMAT_TF_HUB), NOW);
	assert_int_equal(quarantined_at(catalog, "acme/x/12", FORMAT_TFJS), 0);
	assert_int_equal(quarantined_at(catalog, "acme/x/1", FORMAT_TF_HUB), 0);
	run_beside(*state, prose, 1);
	assert_int_equal(quarantined_at(catalog, "acme/told/1", FORMAT_TF_HUB), 0);
}

/* What an older Larder has written down there counts on. */
static void quarantines_of_old_are_taken_over(void **state)
{
	enum { MIGRATION = 10 }; /* 011_quarantines.sql */
	struct place *place = *state;
	const char *const past[] = {"DROP TABLE quarantines",
		"INSERT INTO audit (at, action, subject, detail) VALUES"
		" (1700000000, 'quarantine', 'acme/a1/b2/30', 'tf-hub: recorded sha256:00, upstream now "
		"has'),"
		" (1700000007, 'quarantine', 'acme/a1/b2/30', 'tf-hub: recorded sha256:00, upstream now "
		"has'),"
		" (1700000005, 'quarantine', 'x/4', 'tfjs: recorded sha256:00, upstream now has')",
		catalog_migrations[MIGRATION].sql};

	{
		AUTO_FREE char *path = mem_printf("%s/larder.db", place->folder);
		sqlite3 *beside = NULL;

		assert_int_equal(sqlite3_open(path, &beside), SQLITE_OK);
		for (int i = 0; i < 3; i++)
			assert_int_equal(sqlite3_exec(beside, past[i], NULL, NULL, NULL), SQLITE_OK);
		(void)sqlite3_close(beside);
	}
	assert_int_equal(quarantined_at(place->catalog, "acme/a1/b2/30", FORMAT_TF_HUB), NOW + 7);
	assert_int_equal(quarantined_at(place->catalog, "x/4", FORMAT_TFJS), NOW + 5);
	assert_int_equal(quarantined_at(place->catalog, "x/4", FORMAT_TF_HUB), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_quarantine_is_a_row_of_its_own),
		TEST(quarantines_of_old_are_taken_over),
		TEST(keeps_and_finds),
		TEST(identity_does_not_change),
		TEST(eviction_keeps_the_digest),
		TEST(withdraws_for_good),
		TEST(one_blob_is_inspected_once),
		TEST(a_listed_version_becomes_real),
		TEST(counts_downloads),
		TEST(documents_a_version),
		TEST(documentation_makes_tags),
		TEST(absences_expire),
		TEST(wants_are_bounded),
		TEST(tokens_live_and_end),
	};

	return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
