/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log: what a row's hash is of, and that a row that is changed, removed or put in shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/clock.h"
#include "server/store/catalog/catalog_audit.h"
#include "server/store/catalog/catalog_space.h"
#include "server/store/catalog/catalog_tokens.h"
#include "tests/unit/catalog_place.h"

enum { PINS = 5 };

static void a_row_is_hashed_with_the_one_before(void **state)
{
	static const char first[] =
		"0:,1:7,20:2023-11-14T22:13:20Z,2:ci,3:::1,7:publish,8:acme/x/1,2:d:,0:,3:abc,";
	const struct audit_row row = {.id = 7,
		.at = NOW,
		.who = "ci",
		.from = "::1",
		.action = "publish",
		.subject = "acme/x/1",
		.detail = "d:",
		.after = "abc"};
	const struct digest expected = digest_of(first, strlen(first));
	struct digest hash = audit_chain_hash(NULL, &row);
	AUTO_FREE char *second = mem_printf("71:sha256:%s%s", expected.hex, first + 2);

	(void)state;
	assert_string_equal(hash.hex, expected.hex);
	hash = audit_chain_hash(&expected, &row);
	assert_string_equal(hash.hex, digest_of(second, strlen(second)).hex);
}

/* "begin", and so many pins. */
static void pin_some(struct catalog *catalog)
{
	struct err err = {0};
	bool added;

	for (int i = 0; i < PINS; i++) {
		AUTO_FREE char *pattern = mem_printf("acme/m%d", i);

		if (!catalog_pin(catalog, pattern, NOW + i, &added, &err))
			fail_msg("%s", err.text);
	}
}

/* The sentence that tells what does not fit; "" where all does. */
static const char *verify(struct catalog *catalog, const struct digest *wanted)
{
	static struct err err;
	struct audit_check check = {.wanted = wanted};

	err = (struct err){0};
	if (catalog_verify_audit(catalog, &check, &err))
		return "";
	assert_int_equal(err.code, ERR_CONFLICT);
	return err.text;
}

static void what_is_done_to_rows_shows(void **state)
{
	static const struct {
		const char *done;
		const char *told;
	} cases[] = {
		{"SELECT 1", ""},
		{"UPDATE audit SET subject = 'acme/m9' WHERE id = 3", "row 3 is not what was written"},
		{"UPDATE audit SET detail = 'x' WHERE id = 3", "row 3 is not what was written"},
		{"UPDATE audit SET at = at + 1 WHERE id = 6", "row 6 is not what was written"},
		{"UPDATE audit SET who = 'eve' WHERE id = 2", "row 2 is not what was written"},
		{"UPDATE audit SET from_where = NULL WHERE id = 2", "row 2 is not what was written"},
		{"UPDATE audit SET digest_after = 'x' WHERE id = 4", "row 4 is not what was written"},
		{"UPDATE audit SET hash = NULL WHERE id = 4", "row 4 has no hash"},
		{"DELETE FROM audit WHERE id = 3", "row 3 was removed"},
		{"DELETE FROM audit WHERE id IN (3, 4)", "rows 3 to 4 were removed"},
		{"DELETE FROM audit WHERE id = 6", "the last rows were removed: none behind row 5"},
		{"DELETE FROM audit WHERE id = 1", "row 2 is not the first that was written"},
		{"DELETE FROM audit", "the last rows were removed"},
		{"DELETE FROM audit_head", "the last rows were removed"},
		{"UPDATE audit SET id = 99 WHERE id = 3", "row 3 was removed"},
		{"INSERT INTO audit (at, action, subject) VALUES (1, 'pin', 'x')", "row 7 has no hash"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pin_some(catalog_of(state));
		run_beside(*state, &cases[i].done, 1);
		if (strncmp(verify(catalog_of(state), NULL), cases[i].told, strlen(cases[i].told)) != 0 ||
			!*cases[i].told != !*verify(catalog_of(state), NULL))
			fail_msg("%s: %s", cases[i].done, verify(catalog_of(state), NULL));
		(void)tear_down(state);
		(void)set_up(state);
	}
}

/* Whoever can write to the database can write the chain anew: a head that is kept elsewhere tells. */
static void a_head_that_was_kept_is_found_again(void **state)
{
	static const char *const anew[] = {"DELETE FROM audit", "DELETE FROM audit_head", "DELETE FROM pins"};
	struct catalog *catalog = catalog_of(state);
	struct audit_head head, later;
	struct err err = {0};
	bool added;

	assert_true(catalog_audit_head(catalog, &head, &err));
	assert_false(head.exists);
	assert_string_equal(verify(catalog, NULL), "");
	pin_some(catalog);
	assert_true(catalog_audit_head(catalog, &head, &err));
	assert_int_equal(head.id, 1 + PINS);
	assert_int_equal(head.at, NOW + PINS - 1);
	assert_true(catalog_pin(catalog, "acme/more", NOW, &added, &err));
	assert_true(catalog_audit_head(catalog, &later, &err));
	assert_string_equal(verify(catalog, &head.hash), "");
	assert_string_equal(verify(catalog, &later.hash), "");
	run_beside(*state, anew, 3);
	assert_true(catalog_pin(catalog, "acme/m1", NOW, &added, &err));
	assert_string_equal(verify(catalog, NULL), "");
	assert_non_null(strstr(verify(catalog, &head.hash), "no row has the hash"));
}

/* The last rows go, and others come: their numbers are not used again. */
static void removed_rows_are_not_covered_up(void **state)
{
	static const char *const gone[] = {"DELETE FROM audit WHERE id >= 5"};
	struct err err = {0};
	bool added;

	pin_some(catalog_of(state));
	run_beside(*state, gone, 1);
	assert_true(catalog_pin(catalog_of(state), "acme/more", NOW, &added, &err));
	assert_string_equal(verify(catalog_of(state), NULL), "rows 5 to 6 were removed: row 7 follows row 4");
}

static void rows_of_an_earlier_larder_stay_as_they_are(void **state)
{
	static const char *const past[] = {
		"INSERT INTO audit (at, who, action, subject) VALUES (1, 'ci', 'publish', 'acme/x/1'),"
		" (2, 'ci', 'withdraw', 'acme/x/1')"};
	struct audit_check check = {0};
	struct err err = {0};

	run_beside(*state, past, 1);
	assert_string_equal(verify(catalog_of(state), NULL), "");
	pin_some(catalog_of(state));
	assert_true(catalog_verify_audit(catalog_of(state), &check, &err));
	assert_int_equal(check.earlier, 2);
	assert_int_equal(check.rows, 1 + PINS);
	assert_int_equal(ask_beside(*state,
				 "SELECT count(*) FROM audit WHERE id = 3 AND action = 'begin' AND detail ="
				 " 'the chain begins: rows up to 2 are of an earlier Larder and not in it'"),
		1);
}

/* ---- texts of strangers ---- */

static void texts_are_cut_and_are_utf8(void **state)
{
	AUTO_FREE char *scopes = mem_zero(AUDIT_DETAIL_MAX + 100, 1);
	const struct digest hash = digest_of("x", 1);
	struct err err = {0};

	memset(scopes, 'x', AUDIT_DETAIL_MAX + 99);
	assert_true(catalog_add_token(catalog_of(state), "a\xff", &hash, scopes, NOW, 0, &err));
	assert_int_equal(ask_beside(*state, "SELECT length(detail) FROM audit WHERE subject = 'a\\xFF'"),
		AUDIT_DETAIL_MAX + 1);
	assert_string_equal(verify(catalog_of(state), NULL), "");
}

/* ---- reading ---- */

struct seen {
	size_t count;
	int64_t ids[64];
};

static bool see(void *context, const struct audit_row *row)
{
	struct seen *seen = context;

	assert_true(seen->count < 64);
	seen->ids[seen->count++] = row->id;
	return true;
}

static struct seen list(struct catalog *catalog, const struct audit_query *query)
{
	struct seen seen = {0};
	struct err err = {0};

	if (!catalog_each_audit(catalog, query, see, &seen, &err))
		fail_msg("%s", err.text);
	return seen;
}

static int64_t count(struct catalog *catalog, const struct audit_query *query)
{
	struct err err = {0};
	int64_t count = -1;

	assert_true(catalog_count_audit(catalog, query, &count, &err));
	return count;
}

/* Those have no hash, but a number each. */
static void rows_before_the_chain_are_counted(void **state)
{
	static const char *const earlier[] = {"DELETE FROM audit", "DELETE FROM audit_head",
		"INSERT INTO audit (at, who, action, subject) VALUES (1, 'ci', 'publish', 'acme/old/1')",
		"INSERT INTO audit (at, who, action, subject) VALUES (2, 'ci', 'publish', 'acme/old/2')"};
	static const char *const removed[] = {"DELETE FROM audit WHERE id = 1"};

	run_beside(*state, earlier, 4);
	pin_some(catalog_of(state));
	assert_string_equal(verify(catalog_of(state), NULL), "");
	run_beside(*state, removed, 1);
	assert_non_null(strstr(verify(catalog_of(state), NULL), "were removed or added"));
}

/* Whoever lists them does not see it, and whoever verifies does. */
static void a_row_before_the_first_shows(void **state)
{
	static const char *const added[] = {
		"INSERT INTO audit (id, at, who, action, subject) VALUES (-1, 3, 'ann', 'approve', "
		"'acme/x/1')"};
	const struct audit_query queries[] = {{.newest_first = true, .limit = 60}, {.limit = 60},
		{.newest_first = true, .limit = 60, .subject = "acme/x/1"}};

	pin_some(catalog_of(state));
	run_beside(*state, added, 1);
	for (size_t i = 0; i < 3; i++) {
		size_t expected = queries[i].subject ? 0 : 1 + PINS;

		assert_int_equal(list(catalog_of(state), &queries[i]).count, expected);
		assert_int_equal(count(catalog_of(state), &queries[i]), expected);
	}
	assert_non_null(strstr(verify(catalog_of(state), NULL), "were removed or added"));
}

static void rows_are_listed_from_either_end(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct audit_query query = {.limit = 2};
	struct seen seen;

	pin_some(catalog);
	seen = list(catalog, &query);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.ids[1], 2);
	query.behind_id = 2;
	assert_int_equal(list(catalog, &query).ids[0], 3);
	query = (struct audit_query){.limit = 2, .newest_first = true};
	seen = list(catalog, &query);
	assert_int_equal(seen.ids[0], 1 + PINS);
	query.behind_id = seen.ids[1];
	assert_int_equal(list(catalog, &query).ids[0], PINS - 1);
	query = (struct audit_query){.limit = 50, .since_s = NOW + 3};
	assert_int_equal(list(catalog, &query).count, 2);
	assert_int_equal(count(catalog, &query), 2);
	assert_int_equal(count(catalog, &(struct audit_query){0}), 1 + PINS);
}

/* A handle means its versions, and nobody else's. */
static void rows_of_one_subject(void **state)
{
	struct catalog *catalog = catalog_of(state);
	static const struct {
		const char *subject;
		int64_t count;
	} cases[] = {{"acme/x", 3}, {"acme/x/1", 1}, {"acme/x/12", 1}, {"acme", 4}, {"acme/", 0},
		{"acme/y", 0}, {"%", 0}};

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "a", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/x/12", FORMAT_TF_HUB, "b", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/x/y/1", FORMAT_TF_HUB, "c", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/xy/1", FORMAT_TF_HUB, "d", SOURCE_PUBLISHED);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct audit_query query = {.subject = cases[i].subject, .limit = 50};

		assert_int_equal(count(catalog, &query), cases[i].count);
		assert_int_equal(list(catalog, &query).count, cases[i].count);
		query.newest_first = true;
		assert_int_equal(list(catalog, &query).count, cases[i].count);
	}
}

static void a_publication_has_its_digest(void **state)
{
	struct orphans orphans;

	(void)keep(catalog_of(state), "acme/x/1", FORMAT_TF_HUB, "a", SOURCE_PUBLISHED);
	(void)keep(catalog_of(state), "acme/x/1", FORMAT_TFJS, "b", SOURCE_PUBLISHED);
	assert_int_equal(withdraw(catalog_of(state), "acme/x/1", &orphans), ERR_NONE);
	assert_int_equal(
		ask_beside(*state,
			"SELECT count(*) FROM audit p JOIN audit w ON w.action = 'withdraw'"
			" WHERE p.action = 'publish' AND instr(w.digest_before, p.digest_after) > 0"),
		2);
}

static void a_published_blob_that_is_lost_is_told_of(void **state)
{
	(void)keep(catalog_of(state), "acme/x/1", FORMAT_TF_HUB, "a", SOURCE_PUBLISHED);
	(void)keep(catalog_of(state), "acme/x/2", FORMAT_TF_HUB, "a", SOURCE_PUBLISHED);
	(void)keep(catalog_of(state), "acme/m/1", FORMAT_TF_HUB, "b", SOURCE_MIRRORED);
	forget(catalog_of(state), "a");
	forget(catalog_of(state), "b");
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM audit WHERE action = 'lose'"), 1);
	assert_int_equal(
		ask_beside(*state,
			"SELECT count(*) FROM audit WHERE action = 'lose' AND subject LIKE 'acme/x/%'"
			" AND digest_before LIKE 'tf-hub sha256:%' AND detail = 'and 1 more that have these "
			"bytes'"),
		1);
	assert_string_equal(verify(catalog_of(state), NULL), "");
}

static bool take_any(void *context, const struct digest *digest, int64_t size_bytes)
{
	(void)context;
	(void)digest;
	(void)size_bytes;
	return true;
}

/* Over a bucket what is published goes from a node's disk, too, and clients get the same as before: whoever
 * reads must not be able to make the log grow. */
static void an_eviction_is_no_row(void **state)
{
	static const char *const shared[] = {
		"UPDATE space SET elsewhere = 1", "UPDATE blobs SET published = 0"};
	struct eviction eviction = {.wanted_bytes = INT64_MAX, .max_blobs = 1000};
	struct err err = {0};
	int64_t before;

	(void)keep(catalog_of(state), "acme/x/1", FORMAT_TF_HUB, "a", SOURCE_PUBLISHED);
	(void)keep(catalog_of(state), "acme/m/1", FORMAT_TF_HUB, "b", SOURCE_MIRRORED);
	run_beside(*state, shared, 2);
	before = ask_beside(*state, "SELECT count(*) FROM audit");
	assert_true(catalog_evict(catalog_of(state), &eviction, take_any, NULL, &err));
	assert_int_equal(eviction.count, 2);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM audit"), before);
	assert_string_equal(verify(catalog_of(state), NULL), "");
}

static void a_configuration_is_told_once(void **state)
{
	const struct {
		const char *digest;
		bool starts;
		bool changed;
	} cases[] = {{"1", true, true}, {"1", true, false}, {"1", false, false}, {"2", false, true},
		{"2", false, false}, {"2", true, true}, {"2", true, false}, {"", true, true},
		{"", true, false}, {"1", true, true}};
	struct err err = {0};
	bool changed;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_true(catalog_audit_configuration(
			catalog_of(state), "f.ini", cases[i].digest, cases[i].starts, &changed, &err));
		assert_int_equal(changed, cases[i].changed);
	}
	assert_string_equal(verify(catalog_of(state), NULL), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_hashed_with_the_one_before),
		TEST(what_is_done_to_rows_shows),
		TEST(a_head_that_was_kept_is_found_again),
		TEST(removed_rows_are_not_covered_up),
		TEST(rows_of_an_earlier_larder_stay_as_they_are),
		TEST(texts_are_cut_and_are_utf8),
		TEST(rows_before_the_chain_are_counted),
		TEST(a_row_before_the_first_shows),
		TEST(rows_are_listed_from_either_end),
		TEST(rows_of_one_subject),
		TEST(a_publication_has_its_digest),
		TEST(a_published_blob_that_is_lost_is_told_of),
		TEST(an_eviction_is_no_row),
		TEST(a_configuration_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
