/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "server/store/search/families.h"

enum { PARENT_VALUE = 1, OTHER_VALUE = 2 };

static void add(struct module_index *index, int64_t id, const char *handle, bool listed)
{
	const struct module_facts facts = {.id = id, .handle = handle, .listed = listed};

	(void)module_index_set(index, &facts);
}

/* acme/model is 1, its deployments are 2, 3 and one that is not listed, 4; 5 is nobody's. */
static struct module_index *make_family(void)
{
	struct module_index *index = module_index_create();

	module_index_sort(index);
	module_index_add_value(index, PARENT_VALUE, FACET_PARENT_MODEL, "acme/model");
	add(index, 2, "acme/lite", true);
	add(index, 3, "acme/tfjs", true);
	add(index, 4, "acme/gone", false);
	add(index, 5, "acme/alone", true);
	for (int64_t id = 2; id <= 4; id++)
		module_index_give(index, id, PARENT_VALUE);
	return index;
}

static struct slots set_of(const struct module_index *index, const int64_t *ids)
{
	struct slots set = slots_init(module_index_slots(index));
	size_t slot;

	for (; *ids; ids++) {
		assert_true(module_index_find(index, *ids, &slot));
		slots_add(&set, slot);
	}
	return set;
}

static void check_folded(const struct module_index *index, const int64_t *among, const int64_t *expected)
{
	AUTO_SLOTS struct slots set = set_of(index, among);
	AUTO_SLOTS struct slots wanted = set_of(index, expected);
	AUTO_SLOTS struct slots folded = families_fold(index, &set, NULL, 0);

	assert_memory_equal(folded.words, wanted.words, slots_words(set.count) * sizeof(uint64_t));
}

static void folds_once_the_parent_is_known(void **state)
{
	AUTO_MODULE_INDEX struct module_index *index = make_family();

	check_folded(index, (int64_t[]){2, 3, 5, 0}, (int64_t[]){0});
	add(index, 1, "acme/model", true);
	check_folded(index, (int64_t[]){1, 2, 3, 5, 0}, (int64_t[]){2, 3, 0});
	check_folded(index, (int64_t[]){2, 3, 5, 0}, (int64_t[]){0});
	check_folded(index, (int64_t[]){1, 3, 0}, (int64_t[]){3, 0});
	add(index, 1, "acme/model", false);
	check_folded(index, (int64_t[]){2, 3, 5, 0}, (int64_t[]){0});
}

static void finds_parents_that_were_read_first(void **state)
{
	AUTO_MODULE_INDEX struct module_index *index = module_index_create();

	module_index_add_value(index, OTHER_VALUE, FACET_PARENT_MODEL, "zoo/b");
	module_index_add_value(index, PARENT_VALUE, FACET_PARENT_MODEL, "zoo/a");
	module_index_append(index, &(struct module_facts){.id = 1, .handle = "zoo/b", .listed = true});
	module_index_append(index, &(struct module_facts){.id = 2, .handle = "zoo/a", .listed = true});
	module_index_append(index, &(struct module_facts){.id = 3, .handle = "zoo/c", .listed = true});
	module_index_give(index, 3, PARENT_VALUE);
	module_index_sort(index);
	check_folded(index, (int64_t[]){1, 2, 3, 0}, (int64_t[]){3, 0});
	module_index_forget_values(index, 3);
	check_folded(index, (int64_t[]){1, 2, 3, 0}, (int64_t[]){0});
	module_index_give(index, 3, OTHER_VALUE);
	check_folded(index, (int64_t[]){1, 3, 0}, (int64_t[]){3, 0});
}

/* Nobody is lost: not by itself, by two that name each other, or in a row of them. */
static void keeps_a_row_of_each_family(void **state)
{
	AUTO_MODULE_INDEX struct module_index *index = make_family();

	add(index, 1, "acme/model", true);
	module_index_give(index, 1, PARENT_VALUE);
	check_folded(index, (int64_t[]){1, 2, 0}, (int64_t[]){2, 0});
	module_index_add_value(index, OTHER_VALUE, FACET_PARENT_MODEL, "acme/lite");
	module_index_give(index, 1, OTHER_VALUE);
	check_folded(index, (int64_t[]){1, 2, 3, 0}, (int64_t[]){0});
	module_index_forget_values(index, 1);
	module_index_give(index, 5, OTHER_VALUE);
	check_folded(index, (int64_t[]){1, 2, 5, 0}, (int64_t[]){2, 0});
}

static void better_hits_keep_their_rows(void **state)
{
	AUTO_MODULE_INDEX struct module_index *index = make_family();
	size_t lite, tfjs;

	add(index, 1, "acme/model", true);
	{
		AUTO_SLOTS struct slots all = set_of(index, (int64_t[]){1, 2, 3, 0});
		AUTO_SLOTS struct slots first = set_of(index, (int64_t[]){2, 0});
		const struct slots ranks[] = {first, all};
		AUTO_SLOTS struct slots folded = families_fold(index, &all, ranks, 2);

		assert_true(module_index_find(index, 2, &lite) && module_index_find(index, 3, &tfjs));
		assert_false(slots_have(&folded, lite));
		assert_true(slots_have(&folded, tfjs));
	}
}

static void lists_some_of_very_many(void **state)
{
	AUTO_MODULE_INDEX struct module_index *index = make_family();
	size_t slots[4], slot, total;

	add(index, 1, "acme/model", true);
	for (int64_t id = 10; id < 2000; id++) {
		char handle[32];

		(void)snprintf(handle, sizeof handle, "acme/d%d", (int)id);
		add(index, id, handle, id >= 1000);
		module_index_give(index, id, PARENT_VALUE);
	}
	assert_true(module_index_find(index, 1, &slot));
	assert_int_equal(families_list(index, slot, slots, 4, &total), 2);
	/* Of 32 that are looked at 30 are not listed. */
	assert_int_equal(total, 3 + 1990 - 30);
	assert_true(module_index_find(index, 5, &slot));
	assert_int_equal(families_list(index, slot, slots, 4, &total), 0);
	assert_int_equal(total, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folds_once_the_parent_is_known),
		cmocka_unit_test(finds_parents_that_were_read_first),
		cmocka_unit_test(keeps_a_row_of_each_family),
		cmocka_unit_test(better_hits_keep_their_rows),
		cmocka_unit_test(lists_some_of_very_many),
	};

	return cmocka_run_group_tests_name("families", tests, NULL, NULL);
}
