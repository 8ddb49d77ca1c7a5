/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/store/catalog/catalog_resemblance.h"
#include "tests/unit/catalog_place.h"

static const char *const names[] = {"acme/learner", "acme/Ill-1O0", "acme/rnrnn_x.y", "acme/vvvv-w",
	"acme/r_n/v.v", "acme/INIT.0", "acme/ii11ll"};

static void forget_looks(struct catalog *catalog)
{
	AUTO_TXN struct txn *txn = NULL;
	struct err err = {0};

	assert_true(db_write(catalog->db, &txn, &err));
	assert_true(txn_run(txn, "DELETE FROM looks", NULL, 0, &err));
	assert_true(txn_run(txn, "UPDATE unlooked SET up_to = 1000", NULL, 0, &err));
	assert_true(txn_commit(txn, &err));
}

/* As the triggers do it, and as it is done of what was here before. */
static void look_again(struct catalog *catalog)
{
	bool more = true;
	int times = 0;
	struct err err = {0};

	forget_looks(catalog);
	for (; more; times++)
		assert_true(catalog_look_at_old(catalog, 300, &more, &err));
	assert_int_equal(times, 4);
}

static void check_looks(struct catalog *catalog)
{
	AUTO_TXN struct txn *txn = NULL;
	struct err err = {0};

	assert_true(db_read(catalog->db, &txn, &err));

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		AUTO_ROWS struct rows *rows =
			txn_query(txn, "SELECT look FROM looks WHERE name = ?1", VALUES(v_text(names[i])));

		assert_true(rows_next(rows));
		assert_string_equal(rows_text(rows, 0), look_of(names[i]).text);
		assert_true(rows_done(rows, &err));
	}
	AUTO_ROWS struct rows *rows =
		txn_query(txn, "SELECT look FROM looks WHERE name = ?1", VALUES(v_text("acme")));
	assert_true(rows_next(rows));
	assert_string_equal(rows_text(rows, 0), look_of("acme").text);
}

/* What the database makes of a handle is what a new one is held against. */
static void the_table_has_the_look(void **state)
{
	const struct place *place = *state;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		AUTO_FREE char *path = mem_printf("%s/1", names[i]);

		(void)keep(place->catalog, path, FORMAT_TF_HUB, path, SOURCE_PUBLISHED);
	}
	check_looks(place->catalog);
	look_again(place->catalog);
	check_looks(place->catalog);
}

static void looks(void **state)
{
	(void)state;
	assert_string_equal(look_of("acme/Learner").text, "acme/leamer");
	assert_string_equal(look_of("acme/1-0_a.b").text, "acme/l-o-a-b");
	assert_string_equal(look_of("a/rrn").text, "a/rm");
	assert_string_equal(look_of("a/vvv").text, "a/wv");
	assert_string_equal(look_of("").text, "");
}

static void see_one(struct catalog *catalog, const char *handle, const char *like)
{
	struct lookalikes found;
	struct err err = {0};

	print_message("%s\n", handle);
	if (!catalog_find_lookalikes(catalog, handle, &found, &err))
		fail_msg("%s", err.text);
	assert_int_equal(found.count, like ? 1 : 0);
	if (like)
		assert_string_equal(found.names[0], like);
}

static void neighbours(void **state)
{
	const struct place *place = *state;
	struct lookalikes found;
	struct err err = {0};

	(void)keep(place->catalog, "acme/classifier-v2/1", FORMAT_TF_HUB, "x", SOURCE_MIRRORED);
	see_one(place->catalog, "acme/clasifier-v2", "acme/classifier-v2");
	see_one(place->catalog, "acme/classifieer-v2", "acme/classifier-v2");
	see_one(place->catalog, "acme/c1assifier.V2", "acme/classifier-v2");
	see_one(place->catalog, "acme/calssifier-v2", "acme/classifier-v2");
	see_one(place->catalog, "acme/xlassifier-v2", "acme/classifier-v2");
	see_one(place->catalog, "acme/classifierv2", "acme/classifier-v2");
	see_one(place->catalog, "acme/classifier-v3", NULL);
	see_one(place->catalog, "acme/classifier-v", NULL);
	see_one(place->catalog, "acme/classifier-w2", NULL);
	see_one(place->catalog, "acme/clsifier-v2", NULL);
	see_one(place->catalog, "a/b", NULL);
	/* Of a new publisher its own name is looked at as well. */
	see_one(place->catalog, "acmee/other", "acme");
	assert_true(catalog_find_lookalikes(place->catalog, "acmee/classifier-v2", &found, &err));
	assert_int_equal(found.count, 2);
	assert_string_equal(found.names[0], "acme/classifier-v2");
	assert_string_equal(found.names[1], "acme");
}

/* The longest that there can be, and more neighbours than are told of. */
static void bounds(void **state)
{
	const struct place *place = *state;
	char longest[NAME_PATH_MAX + 1];
	struct lookalikes found;
	struct err err = {0};

	for (int i = 0; i < 6; i++) {
		AUTO_FREE char *path = mem_printf("acme/model-na%ce/1", "bcdfgh"[i]);

		(void)keep(place->catalog, path, FORMAT_TF_HUB, path, SOURCE_PUBLISHED);
	}
	assert_true(catalog_find_lookalikes(place->catalog, "acme/model-name", &found, &err));
	assert_int_equal(found.count, LOOKALIKES_MAX);
	memset(longest, 'a', NAME_PATH_MAX);
	longest[4] = '/';
	longest[NAME_PATH_MAX] = '\0';
	assert_true(catalog_find_lookalikes(place->catalog, longest, &found, &err));
	assert_int_equal(found.count, 0);
}

static void owners(void **state)
{
	const struct place *place = *state;
	enum handle_owner owner;
	struct err err = {0};
	bool is;

	(void)keep(place->catalog, "google/m/1", FORMAT_TF_HUB, "x", SOURCE_MIRRORED);
	(void)keep(place->catalog, "acme/m/1", FORMAT_TF_HUB, "y", SOURCE_PUBLISHED);
	(void)keep(place->catalog, "acme/both/1", FORMAT_TF_HUB, "z", SOURCE_MIRRORED);
	(void)keep(place->catalog, "acme/both/2", FORMAT_TF_HUB, "zz", SOURCE_PUBLISHED);
	assert_true(catalog_find_owner(place->catalog, "google/m", &owner, &err) && owner == OWNER_UPSTREAM);
	assert_true(catalog_find_owner(place->catalog, "google/n", &owner, &err) && owner == OWNER_UNKNOWN);
	assert_true(catalog_find_owner(place->catalog, "acme/m", &owner, &err) && owner == OWNER_SITE);
	assert_true(catalog_find_owner(place->catalog, "acme/both", &owner, &err) && owner == OWNER_SITE);
	assert_true(catalog_is_of_upstream(place->catalog, "google", &is, &err) && is);
	assert_true(catalog_is_of_upstream(place->catalog, "acme", &is, &err) && is);
	assert_true(catalog_is_of_upstream(place->catalog, "nobody", &is, &err) && !is);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_table_has_the_look, set_up, tear_down),
		cmocka_unit_test(looks),
		cmocka_unit_test_setup_teardown(neighbours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(owners, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
