/* SPDX-License-Identifier: Apache-2.0
 *
 * A bundle on record: all or nothing, each conflict by name, again without a change; and what is staged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "catalog_place.h"
#include "server/store/catalog/catalog_documentation.h"
#include "server/store/catalog/catalog_import.h"
#include "server/store/catalog/catalog_space.h"
#include "server/store/catalog/catalog_staging.h"
#include "server/store/catalog/catalog_versions.h"
#include "server/store/catalog/catalog_wants.h"

static const char *const bundle_text = "the contents";

static struct import_origin origin_of(void)
{
	return (struct import_origin){.contents = digest_of(bundle_text, strlen(bundle_text)),
		.name = "spring",
		.created_at = NOW - 50,
		.signer = "ab12",
		.now_s = NOW + 10};
}

static struct imported_version version_of(const char *path, enum version_source source)
{
	bool published = source == SOURCE_PUBLISHED;

	return (struct imported_version){.name = name_of(path, FORMAT_TF_HUB),
		.source = source,
		.published_by = published ? "ci" : NULL,
		.upstream = published ? NULL : "tfhub"};
}

static void add_artifact(
	struct imported_version *version, enum format format, const char *content, enum version_source source)
{
	bool published = source == SOURCE_PUBLISHED;

	version->artifacts[version->artifact_count++] = (struct imported_artifact){.format = format,
		.digest = digest_of(content, strlen(content)),
		.size_bytes = (int64_t)strlen(content),
		.source = source,
		.published_by = published ? "ci" : NULL,
		.upstream = published ? NULL : "tfhub"};
}

/* One version with one artifact. */
static struct imported_version simple(const char *path, const char *content, enum version_source source)
{
	struct imported_version version = version_of(path, source);

	add_artifact(&version, FORMAT_TF_HUB, content, source);
	return version;
}

static struct digest contents_of(const char *bundle)
{
	return digest_of(bundle, strlen(bundle));
}

static void stage_for(
	struct catalog *catalog, const char *bundle, enum format format, const char *content, int64_t now_s)
{
	const struct digest contents = contents_of(bundle);
	struct name name = {.format = format};
	struct checksums checksums = checksums_of(content);
	struct examination *examination = examination_of(format);
	struct err err = {0};

	if (!catalog_stage_blob(catalog,
		    &(struct keeping){.name = &name,
			    .source = SOURCE_MIRRORED,
			    .checksums = &checksums,
			    .size_bytes = (int64_t)strlen(content),
			    .examination = examination,
			    .staged_for = &contents,
			    .now_s = now_s},
		    true, &err))
		fail_msg("%s", err.text);
	examination_destroy(examination);
}

static void stage_at(struct catalog *catalog, enum format format, const char *content, int64_t now_s)
{
	stage_for(catalog, bundle_text, format, content, now_s);
}

static void stage(struct catalog *catalog, enum format format, const char *content)
{
	stage_at(catalog, format, content, NOW);
}

static struct import_result judged(struct catalog *catalog, const struct imported_version *version)
{
	const struct digest contents = contents_of(bundle_text);
	struct import_result result;
	struct err err = {0};

	if (!catalog_judge_import(catalog, &contents, version, true, &result, &err))
		fail_msg("%s", err.text);
	return result;
}

/* Imports these, and commits unless one is refused and partial is not set. */
static void import_from(struct catalog *catalog, const struct import_origin *from,
	const struct imported_version *versions, size_t count, bool partial, struct import_result *results)
{
	struct import_origin origin = *from;
	AUTO_IMPORT struct import *import = NULL;
	struct err err = {0};
	bool refused = false, changed;

	assert_true(import_begin(catalog, &origin, &import, &err));
	for (size_t i = 0; i < count; i++) {
		if (!import_add_version(import, &versions[i], &results[i], &err))
			fail_msg("%s", err.text);
		refused = refused || results[i].outcome == IMPORT_REFUSED;
	}
	if ((!refused || partial) && !import_commit(import, &changed, &err))
		fail_msg("%s", err.text);
}

static void import_all(struct catalog *catalog, const struct imported_version *versions, size_t count,
	bool partial, struct import_result *results)
{
	const struct import_origin origin = origin_of();

	import_from(catalog, &origin, versions, count, partial, results);
}

/* From a bundle that nobody has checked. */
static struct import_result import_unchecked(
	struct catalog *catalog, const struct imported_version *version, const char *bundle)
{
	struct import_origin origin = origin_of();
	struct import_result result;

	origin.contents = digest_of(bundle, strlen(bundle));
	origin.signer = NULL;
	import_from(catalog, &origin, version, 1, false, &result);
	return result;
}

static struct import_result import_one(struct catalog *catalog, const struct imported_version *version)
{
	struct import_result result;

	import_all(catalog, version, 1, false, &result);
	return result;
}

static void test_gives_what_is_staged_its_names(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct imported_version version = version_of("acme/x/1", SOURCE_PUBLISHED);
	struct version_details details;
	struct err err = {0};
	bool found;

	add_artifact(&version, FORMAT_TFJS, "published", SOURCE_PUBLISHED);
	add_artifact(&version, FORMAT_TF_HUB, "mirrored", SOURCE_MIRRORED);
	assert_int_equal(judged(catalog, &version).outcome, IMPORT_NEW);
	assert_true(judged(catalog, &version).lacks[0] && judged(catalog, &version).lacks[1]);
	stage(catalog, FORMAT_TF_HUB, "mirrored");
	assert_true(judged(catalog, &version).lacks[0] && !judged(catalog, &version).lacks[1]);
	stage(catalog, FORMAT_TFJS, "published");
	assert_int_equal(import_one(catalog, &version).outcome, IMPORT_NEW);

	assert_true(catalog_find_version(catalog, &version.name, &details, &found, &err) && found);
	assert_int_equal(details.source, SOURCE_PUBLISHED);
	assert_int_equal(details.artifact_count, 2);
	assert_int_equal(details.artifacts[0].artifact.source, SOURCE_MIRRORED);
	assert_string_equal(details.artifacts[0].upstream, "tfhub");
	assert_int_equal(details.artifacts[1].artifact.source, SOURCE_PUBLISHED);
	assert_string_equal(details.artifacts[1].published_by, "ci");
	assert_int_equal(details.artifacts[0].artifact.file_count, 2);
	assert_int_equal(details.artifacts[0].warning_count, 1);
	version_details_finish(&details);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM staged_blobs"), 0);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM artifacts WHERE import_id = 1"), 2);
	assert_int_equal(
		ask_beside(*state, "SELECT count(*) FROM audit WHERE action = 'import' AND subject = "
				   "'acme/x/1' AND detail LIKE '%, from spring'"),
		2);
	assert_int_equal(ask_beside(*state, "SELECT latest_cached FROM modules"), 1);
}

static void test_again_changes_nothing(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct imported_version version = simple("acme/x/1", "bytes", SOURCE_PUBLISHED);
	int64_t revision;

	version.markdown = "Free text.";
	stage(catalog, FORMAT_TF_HUB, "bytes");
	(void)import_one(catalog, &version);
	revision = ask_beside(*state, "SELECT revision FROM search_state");
	assert_int_equal(judged(catalog, &version).outcome, IMPORT_SAME);
	assert_int_equal(import_one(catalog, &version).outcome, IMPORT_SAME);
	assert_int_equal(ask_beside(*state, "SELECT revision FROM search_state"), revision);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM audit"), 4);
}

static void test_what_is_not_staged_is_not_recorded(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct imported_version versions[] = {
		simple("acme/x/1", "there", SOURCE_MIRRORED), simple("acme/x/2", "absent", SOURCE_MIRRORED)};
	struct import_result results[2];
	bool found;

	stage(catalog, FORMAT_TF_HUB, "there");
	/* Examined as another format only. */
	stage(catalog, FORMAT_TFJS, "absent");
	import_all(catalog, versions, 2, false, results);
	assert_int_equal(results[0].outcome, IMPORT_NEW);
	assert_int_equal(results[1].outcome, IMPORT_REFUSED);
	assert_int_equal(results[1].why.code, ERR_NOT_FOUND);
	(void)find(catalog, "acme/x/1", FORMAT_TF_HUB, &found);
	assert_false(found);
	import_all(catalog, versions, 2, true, results);
	(void)find(catalog, "acme/x/1", FORMAT_TF_HUB, &found);
	assert_true(found);
	(void)find(catalog, "acme/x/2", FORMAT_TF_HUB, &found);
	assert_false(found);
}

static void test_conflicts_are_told_with_both_digests(void **state)
{
	static const enum version_source sources[][2] = {{SOURCE_PUBLISHED, SOURCE_PUBLISHED},
		{SOURCE_PUBLISHED, SOURCE_MIRRORED}, {SOURCE_MIRRORED, SOURCE_PUBLISHED},
		{SOURCE_MIRRORED, SOURCE_MIRRORED}};
	struct catalog *catalog = catalog_of(state);
	struct digest ours = digest_of("ours", 4);
	struct digest theirs = digest_of("theirs", 6);

	stage(catalog, FORMAT_TF_HUB, "theirs");
	for (size_t i = 0; i < 4; i++) {
		AUTO_FREE char *path = mem_printf("acme/x/%zu", i + 1);
		struct imported_version version = simple(path, "theirs", sources[i][1]);
		struct import_result result;

		(void)keep(catalog, path, FORMAT_TF_HUB, "ours", sources[i][0]);
		result = import_one(catalog, &version);
		assert_int_equal(result.outcome, IMPORT_REFUSED);
		assert_int_equal(result.why.code, ERR_CONFLICT);
		assert_non_null(strstr(result.why.text, path));
		assert_non_null(strstr(result.why.text, ours.hex));
		assert_non_null(strstr(result.why.text, theirs.hex));
	}
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM quarantines"), 0);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM imports"), 0);
}

static void test_a_published_version_takes_no_mirrored_format(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct imported_version version = version_of("acme/x/1", SOURCE_MIRRORED);

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "ours", SOURCE_PUBLISHED);
	stage(catalog, FORMAT_TFJS, "js");
	add_artifact(&version, FORMAT_TFJS, "js", SOURCE_MIRRORED);
	assert_int_equal(import_one(catalog, &version).outcome, IMPORT_REFUSED);
}

static void test_what_was_mirrored_is_published(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct imported_version version = simple("acme/x/1", "bytes", SOURCE_PUBLISHED);
	struct artifact artifact;
	bool found;

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_MIRRORED);
	assert_int_equal(import_one(catalog, &version).outcome, IMPORT_CHANGED);
	artifact = find(catalog, "acme/x/1", FORMAT_TF_HUB, &found);
	assert_int_equal(artifact.source, SOURCE_PUBLISHED);
	assert_int_equal(import_one(catalog, &version).outcome, IMPORT_SAME);
}

static void test_evicted_bytes_come_back(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct imported_version version = simple("acme/x/1", "bytes", SOURCE_MIRRORED);
	bool found;

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_MIRRORED);
	forget(catalog, "bytes");
	assert_int_equal(judged(catalog, &version).outcome, IMPORT_CHANGED);
	assert_true(judged(catalog, &version).lacks[0]);
	stage(catalog, FORMAT_TF_HUB, "bytes");
	(void)import_one(catalog, &version);
	assert_true(find(catalog, "acme/x/1", FORMAT_TF_HUB, &found).cached);
	assert_int_equal(ask_beside(*state, "SELECT latest_cached FROM modules"), 1);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM staged_blobs"), 0);
}

static struct imported_version withdrawn(const char *path)
{
	struct imported_version version = version_of(path, SOURCE_PUBLISHED);

	version.state = STATE_WITHDRAWN;
	return version;
}

static void test_withdrawals(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct imported_version known = withdrawn("acme/x/1");
	struct imported_version unknown = withdrawn("acme/y/1");
	struct imported_version again = simple("acme/x/1", "bytes", SOURCE_PUBLISHED);
	bool found;

	stage(catalog, FORMAT_TF_HUB, "bytes");
	assert_int_equal(import_one(catalog, &again).outcome, IMPORT_NEW);
	assert_true(import_one(catalog, &known).withdrawn);
	assert_true(import_one(catalog, &unknown).withdrawn);
	assert_int_equal(find(catalog, "acme/x/1", FORMAT_TF_HUB, &found).state, STATE_WITHDRAWN);
	assert_int_equal(find(catalog, "acme/y/1", FORMAT_TF_HUB, &found).state, STATE_WITHDRAWN);
	assert_false(is_claimed(catalog, "bytes"));
	assert_int_equal(import_one(catalog, &known).outcome, IMPORT_SAME);
	assert_int_equal(import_one(catalog, &again).outcome, IMPORT_REFUSED);
	assert_int_equal(judged(catalog, &again).why.code, ERR_GONE);
}

/* Whatever else came in bundles, and however the bytes became published. */
static void test_withdrawals_leave_what_was_published_here(void **state)
{
	static const char *const paths[] = {"acme/x/1", "acme/y/1", "acme/z/1"};
	struct catalog *catalog = catalog_of(state);
	struct imported_version y = simple("acme/y/1", "carried", SOURCE_PUBLISHED);
	struct imported_version z = simple("acme/z/1", "mirrored there", SOURCE_MIRRORED);
	struct imported_version mirrored = withdrawn("acme/m/1");
	bool found;

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "ours", SOURCE_PUBLISHED);
	stage(catalog, FORMAT_TF_HUB, "carried");
	stage(catalog, FORMAT_TF_HUB, "mirrored there");
	assert_int_equal(import_one(catalog, &y).outcome, IMPORT_NEW);
	assert_int_equal(import_one(catalog, &z).outcome, IMPORT_NEW);
	(void)keep(catalog, "acme/y/1", FORMAT_TFLITE, "our format", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/z/1", FORMAT_TF_HUB, "mirrored there", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/m/1", FORMAT_TF_HUB, "anybody's", SOURCE_MIRRORED);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct imported_version version = withdrawn(paths[i]);
		struct import_result result = import_one(catalog, &version);

		assert_int_equal(result.outcome, IMPORT_REFUSED);
		assert_int_equal(result.why.code, ERR_CONFLICT);
		assert_false(result.withdrawn);
		assert_int_equal(find(catalog, paths[i], FORMAT_TF_HUB, &found).state, STATE_ACTIVE);
	}
	assert_true(import_one(catalog, &mirrored).withdrawn);
}

/* What was mirrored here, and came as published in a bundle, is the bundle's. */
static void test_withdrawals_of_what_a_bundle_made_published(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct imported_version came = simple("acme/x/1", "bytes", SOURCE_PUBLISHED);
	struct imported_version gone = withdrawn("acme/x/1");

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_MIRRORED);
	assert_int_equal(import_one(catalog, &came).outcome, IMPORT_CHANGED);
	assert_true(import_one(catalog, &gone).withdrawn);
}

static void assert_stays(struct catalog *catalog, const char *path)
{
	struct imported_version gone = withdrawn(path);
	bool found;

	assert_int_equal(import_unchecked(catalog, &gone, "gone").outcome, IMPORT_REFUSED);
	assert_int_equal(find(catalog, path, FORMAT_TF_HUB, &found).state, STATE_ACTIVE);
}

/* Whoever vouches for the bytes, before or after a bundle that nobody has checked brings them as well. */
static void test_unchecked_bundles_withdraw_their_own(void **state)
{
	static const enum version_source sources[] = {SOURCE_PUBLISHED, SOURCE_MIRRORED};
	struct catalog *catalog = catalog_of(state);

	stage(catalog, FORMAT_TF_HUB, "bytes");
	for (size_t i = 0; i < 10; i++) {
		AUTO_FREE char *path = mem_printf("acme/x/%zu", i + 1);
		struct imported_version came = simple(path, "bytes", sources[i % 2]);
		struct imported_version gone = withdrawn(path);
		size_t how = i / 2;

		if (how == 0)
			(void)keep(catalog, path, FORMAT_TF_HUB, "bytes", SOURCE_MIRRORED);
		if (how == 1)
			(void)import_one(catalog, &came);
		assert_true(import_unchecked(catalog, &came, "came").outcome != IMPORT_REFUSED);
		if (how == 2)
			(void)keep(catalog, path, FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED);
		if (how == 3)
			(void)import_one(catalog, &came);
		if (how == 4)
			assert_true(import_unchecked(catalog, &gone, "gone").withdrawn);
		else
			assert_stays(catalog, path);
	}
}

static const char *document_of(struct catalog *catalog, const char *path)
{
	struct name name = name_of(path, FORMAT_TF_HUB);
	static char copy[100];
	AUTO_FREE char *markdown = NULL;
	struct err err = {0};

	assert_true(catalog_find_documentation(catalog, &name, &markdown, &err));
	(void)snprintf(copy, sizeof copy, "%s", markdown ? markdown : "");
	return copy;
}

static enum docs_outcome import_text(struct catalog *catalog, const char *markdown, int64_t at)
{
	struct imported_version version = version_of("acme/x/1", SOURCE_LISTED);

	version.markdown = markdown;
	version.documented_at = at;
	return import_one(catalog, &version).documentation;
}

static void test_documentation(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct name name = name_of("acme/x/1", FORMAT_TF_HUB);
	struct err err = {0};
	bool created, found;

	assert_int_equal(import_text(catalog, "first", NOW), DOCS_NEW);
	assert_int_equal(find(catalog, "acme/x/1", FORMAT_TF_HUB, &found).version_source, SOURCE_LISTED);
	assert_int_equal(import_text(catalog, "first", NOW), DOCS_SAME);
	assert_int_equal(import_text(catalog, "second", NOW + 5), DOCS_CHANGED);
	assert_int_equal(import_text(catalog, "first", NOW), DOCS_LEFT);
	assert_string_equal(document_of(catalog, "acme/x/1"), "second");
	assert_true(catalog_set_documentation(
		catalog, &name, &(struct documentation){"ours", NULL, "ci", NOW}, &created, &err));
	assert_int_equal(import_text(catalog, "third", NOW + 100), DOCS_LEFT);
	assert_string_equal(document_of(catalog, "acme/x/1"), "ours");
}

static void test_pages(void **state)
{
	static const char *const pages[] = {"# Publisher acme\nAcme Ltd\n\n## Who\nWe.\n",
		"# Collection acme/c/1\nAll of ours.\n\n## Modules\n[x](https://tfhub.dev/acme/x/2)\n"};
	struct catalog *catalog = catalog_of(state);

	for (int round = 0; round < 2; round++) {
		struct import_origin origin = origin_of();
		AUTO_IMPORT struct import *import = NULL;
		struct err err = {0};
		bool changed;

		assert_true(import_begin(catalog, &origin, &import, &err));
		for (size_t i = 0; i < 2; i++) {
			AUTO_HUBDOC struct hubdoc *page = NULL;
			enum docs_outcome outcome;
			bool is_one;
			size_t line;

			assert_true(hubdoc_read(pages[i], &page, &is_one, &line, &err) && is_one);
			assert_true(import_add_page(import, page, pages[i], &outcome, &err));
			assert_int_equal(outcome, round == 0 ? DOCS_NEW : DOCS_SAME);
		}
		assert_true(import_commit(import, &changed, &err));
		assert_int_equal(changed, round == 0);
	}
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM collections"), 1);
	assert_int_equal(
		ask_beside(*state, "SELECT count(*) FROM publishers WHERE display_name = 'Acme Ltd'"), 1);
}

static void test_wants_that_came_are_forgotten(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct want want = {.name = name_of("acme/x/1", FORMAT_TF_HUB), .times = 3, .last_at = NOW};
	struct imported_version version = simple("acme/x/1", "bytes", SOURCE_MIRRORED);
	struct err err = {0};

	assert_true(catalog_add_wants(catalog, &want, 1, &err));
	stage(catalog, FORMAT_TF_HUB, "bytes");
	(void)import_one(catalog, &version);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM wants"), 0);
}

/* ---- what is staged ---- */

static bool take_any(void *context, const struct digest *digest, int64_t size_bytes)
{
	(void)context;
	(void)digest;
	(void)size_bytes;
	return true;
}

static size_t evict_all(struct catalog *catalog)
{
	struct eviction eviction = {.wanted_bytes = INT64_MAX, .max_blobs = 100};
	struct err err = {0};

	assert_true(catalog_evict(catalog, &eviction, take_any, NULL, &err));
	return eviction.count;
}

static void test_staged_blobs_stay(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct orphans none;

	stage(catalog, FORMAT_TF_HUB, "staged");
	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "evictable", SOURCE_MIRRORED);
	assert_true(is_claimed(catalog, "staged"));
	assert_int_equal(evict_all(catalog), 1);
	assert_true(is_claimed(catalog, "staged"));
	/* … also when the version that had the same bytes goes. */
	(void)keep(catalog, "acme/y/1", FORMAT_TF_HUB, "staged", SOURCE_PUBLISHED);
	assert_int_equal(withdraw(catalog, "acme/y/1", &none), ERR_NONE);
	assert_int_equal(none.count, 0);
	assert_true(is_claimed(catalog, "staged"));
}

static void test_staged_blobs_go_after_a_week(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct orphans gone = {0};
	struct err err = {0};
	size_t count;

	stage_at(catalog, FORMAT_TF_HUB, "old", NOW - 100);
	stage_at(catalog, FORMAT_TF_HUB, "young", NOW);
	stage_at(catalog, FORMAT_TF_HUB, "kept", NOW - 100);
	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "kept", SOURCE_MIRRORED);
	assert_true(catalog_unstage(catalog, NOW - 50, 10, collect, &gone, &count, &err));
	assert_int_equal(count, 2);
	assert_int_equal(gone.count, 1);
	assert_false(is_claimed(catalog, "old"));
	assert_true(is_claimed(catalog, "young"));
	assert_true(is_claimed(catalog, "kept"));
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM inspections"), 2);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM members"), 6);
	assert_int_equal(ask_beside(*state, "SELECT blobs FROM totals"), 2);
	assert_int_equal(ask_beside(*state, "SELECT mirrored_bytes FROM space"), 9);
}

static void test_the_age_of_what_is_staged_is_that_of_its_import(void **state)
{
	struct catalog *catalog = catalog_of(state);
	const struct digest running = contents_of("running");
	struct orphans gone = {0};
	struct err err = {0};
	size_t count;

	stage_for(catalog, "running", FORMAT_TF_HUB, "old", NOW - 8 * 86400);
	stage_for(catalog, "abandoned", FORMAT_TF_HUB, "older", NOW - 8 * 86400);
	stage_for(catalog, "abandoned", FORMAT_TF_HUB, "old", NOW - 8 * 86400);
	assert_true(catalog_renew_staged(catalog, &running, NOW, &err));
	assert_true(catalog_unstage(catalog, NOW - 7 * 86400, 10, collect, &gone, &count, &err));
	assert_int_equal(count, 2);
	assert_int_equal(gone.count, 1);
	assert_true(is_claimed(catalog, "old"));
	assert_false(is_claimed(catalog, "older"));
}

/* One import's commit lets go of its own only: of what another waits for nothing may be evicted. */
static void test_a_commit_lets_go_of_its_own(void **state)
{
	static const enum version_source sources[] = {SOURCE_MIRRORED, SOURCE_PUBLISHED};

	for (size_t i = 0; i < 2; i++) {
		struct catalog *catalog = catalog_of(state);
		const char *path = i == 0 ? "acme/x/1" : "acme/z/1";
		const char *mine = i == 0 ? "mine" : "mine, too";
		const char *shared = i == 0 ? "shared" : "shared, too";
		struct imported_version version = simple(path, mine, sources[i]);

		add_artifact(&version, FORMAT_TFJS, shared, sources[i]);
		/* A mirrored artifact has the bytes already that the other waits for. */
		(void)keep(
			catalog, i == 0 ? "acme/y/1" : "acme/y/2", FORMAT_TF_HUB, "theirs", SOURCE_MIRRORED);
		stage_for(catalog, "another", FORMAT_TF_HUB, "theirs", NOW);
		stage_for(catalog, "another", FORMAT_TFJS, shared, NOW);
		stage(catalog, FORMAT_TF_HUB, mine);
		stage(catalog, FORMAT_TFJS, shared);
		(void)import_one(catalog, &version);
		assert_int_equal(ask_beside(*state, "SELECT count(*) FROM staged_blobs"), 2 + (int64_t)i);
		assert_int_equal(evict_all(catalog), i == 0 ? 1 : 0);
		assert_true(is_claimed(catalog, "theirs") && is_claimed(catalog, shared));
	}
}

static void test_what_is_here_is_held(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct imported_version version = simple("acme/y/1", "bytes", SOURCE_MIRRORED);
	struct name name = {.format = FORMAT_TF_HUB};
	struct checksums checksums = checksums_of("bytes");
	const struct digest contents = contents_of(bundle_text);
	const struct keeping keeping = {.name = &name,
		.source = SOURCE_MIRRORED,
		.checksums = &checksums,
		.size_bytes = 5,
		.staged_for = &contents,
		.now_s = NOW};
	struct err err = {0};
	bool held = true;

	assert_true(catalog_hold_staged(catalog, &keeping, &held, &err));
	assert_false(held);
	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_MIRRORED);
	assert_true(catalog_hold_staged(catalog, &keeping, &held, &err));
	assert_true(held);
	assert_int_equal(evict_all(catalog), 0);
	assert_int_equal(import_one(catalog, &version).outcome, IMPORT_NEW);
	assert_int_equal(evict_all(catalog), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_gives_what_is_staged_its_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_again_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_not_staged_is_not_recorded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_conflicts_are_told_with_both_digests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_published_version_takes_no_mirrored_format, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_was_mirrored_is_published, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_evicted_bytes_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_withdrawals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unchecked_bundles_withdraw_their_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_withdrawals_leave_what_was_published_here, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_withdrawals_of_what_a_bundle_made_published, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_documentation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wants_that_came_are_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_staged_blobs_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_staged_blobs_go_after_a_week, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_the_age_of_what_is_staged_is_that_of_its_import, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_commit_lets_go_of_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_here_is_held, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
