/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>

#include "common/buffer.h"
#include "server/store/search/handles.h"
#include "server/store/search/module_index.h"

static const struct module_facts zoo[] = {
	{.id = 7,
		.handle = "zoo/Tiger_v2",
		.listed = true,
		.cached = true,
		.downloads = 5,
		.updated_at = 30,
		.size_bytes = 1},
	{.id = 3,
		.handle = "acme/tigers/1/big",
		.listed = true,
		.downloads = 9,
		.updated_at = 10,
		.size_bytes = 3},
	{.id = 130,
		.handle = "acme/gone",
		.listed = false,
		.cached = true,
		.downloads = 99,
		.updated_at = 99},
	{.id = 4, .handle = "acme/x", .listed = true, .downloads = 5, .updated_at = 20, .size_bytes = 2},
};
enum { ZOO = sizeof zoo / sizeof *zoo };

static struct module_index *make_zoo(void)
{
	struct module_index *index = module_index_create();

	for (size_t i = 0; i < ZOO; i++)
		module_index_append(index, &zoo[i]);
	module_index_sort(index);
	module_index_add_value(index, 1, FACET_TASK, "walking");
	module_index_add_value(index, 2, FACET_TASK, "sleeping");
	module_index_add_value(index, 3, FACET_TENSORFLOW_VERSION, "2.11.0");
	module_index_add_value(index, 4, FACET_TENSORFLOW_VERSION, "2.1.0");
	module_index_give(index, 7, 1);
	module_index_give(index, 3, 1);
	module_index_give(index, 4, 2);
	module_index_give(index, 130, 2);
	module_index_give(index, 7, 3);
	module_index_give(index, 4, 4);
	return index;
}

/* The ids of a set, in the order of a walk. */
static void check_walk(const struct module_index *index, enum module_sort sort, const struct slots *set,
	const struct place_in_order *after, const char *expected)
{
	AUTO_BUFFER struct buffer ids = {0};
	size_t found[16];
	size_t count = module_index_walk(index, sort, set, after, found, 16);

	for (size_t i = 0; i < count; i++)
		buffer_printf(&ids, "%s%lld", i ? " " : "", (long long)module_index_id(index, found[i]));
	assert_string_equal(buffer_string(&ids), expected);
}

static void walks_in_every_order(void **state)
{
	AUTO_MODULE_INDEX struct module_index *index = make_zoo();
	AUTO_SLOTS struct slots listed = module_index_listed(index);

	check_walk(index, SORT_NAME, &listed, NULL, "3 4 7");
	check_walk(index, SORT_DOWNLOADS, &listed, NULL, "3 7 4");
	check_walk(index, SORT_RELEVANCE, &listed, NULL, "7 3 4");
	check_walk(index, SORT_UPDATED, &listed, NULL, "7 4 3");
	check_walk(index, SORT_SIZE, &listed, NULL, "3 4 7");
}

/* Of nothing that was downloaded: first what is here, then what is new, then by name; in searches the
 * shortest name. */
static void orders_those_that_nobody_asked_for(void **state)
{
	static const struct module_facts quiet[] = {
		{.id = 1, .handle = "b/short", .listed = true, .updated_at = 20},
		{.id = 2, .handle = "b/longer-here", .listed = true, .cached = true, .updated_at = 10},
		{.id = 3, .handle = "a/longer-new", .listed = true, .updated_at = 30},
		{.id = 4, .handle = "a/longer-too", .listed = true, .updated_at = 20},
		{.id = 5, .handle = "z", .listed = true, .cached = true, .updated_at = 1},
		{.id = 6, .handle = "z/asked-for", .listed = true, .downloads = 1, .updated_at = 1},
	};
	AUTO_MODULE_INDEX struct module_index *index = module_index_create();
	struct module_facts arrived = quiet[3];
	struct place_in_order place;
	size_t slot;

	for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++)
		module_index_append(index, &quiet[i]);
	module_index_sort(index);
	AUTO_SLOTS struct slots listed = module_index_listed(index);
	check_walk(index, SORT_DOWNLOADS, &listed, NULL, "6 2 5 3 4 1");
	check_walk(index, SORT_RELEVANCE, &listed, NULL, "5 2 6 1 3 4");
	arrived.cached = true;
	assert_false(module_index_set(index, &arrived));
	check_walk(index, SORT_DOWNLOADS, &listed, NULL, "6 4 2 5 3 1");
	assert_true(module_index_find(index, 5, &slot));
	place = module_index_place(index, SORT_DOWNLOADS, slot);
	check_walk(index, SORT_DOWNLOADS, &listed, &place, "3 1");
	place = module_index_place(index, SORT_RELEVANCE, slot);
	check_walk(index, SORT_RELEVANCE, &listed, &place, "4 2 6 1 3");
}

static void goes_on_behind_a_place(void **state)
{
	AUTO_MODULE_INDEX struct module_index *index = make_zoo();
	AUTO_SLOTS struct slots listed = module_index_listed(index);

	check_walk(index, SORT_NAME, &listed, &(struct place_in_order){0, 0, "acme/tigers/1/big"}, "4 7");
	/* Where nothing stands (any more). */
	check_walk(index, SORT_NAME, &listed, &(struct place_in_order){0, 0, "acme/w"}, "4 7");
	check_walk(index, SORT_UPDATED, &listed, &(struct place_in_order){25, 0, "a"}, "4 3");
	check_walk(index, SORT_UPDATED, &listed, &(struct place_in_order){20, 0, "acme/x"}, "3");
	check_walk(index, SORT_UPDATED, &listed, &(struct place_in_order){1, 0, "a"}, "");
}

static void follows_changes(void **state)
{
	AUTO_MODULE_INDEX struct module_index *index = make_zoo();
	struct module_facts changed = zoo[1];

	changed.downloads = 1;
	assert_false(module_index_set(index, &changed));
	assert_true(module_index_set(
		index, &(struct module_facts){.id = 9, .handle = "acme/y", .listed = true, .downloads = 7}));
	AUTO_SLOTS struct slots listed = module_index_listed(index);
	check_walk(index, SORT_DOWNLOADS, &listed, NULL, "9 7 4 3");
	check_walk(index, SORT_NAME, &listed, NULL, "3 4 9 7");
	changed.listed = false;
	assert_false(module_index_set(index, &changed));
	AUTO_SLOTS struct slots fewer = module_index_listed(index);
	check_walk(index, SORT_NAME, &fewer, NULL, "4 9 7");
}

static int64_t matching(const struct module_index *index, enum facet facet, const char *value)
{
	AUTO_SLOTS struct slots set = slots_init(module_index_slots(index));
	AUTO_SLOTS struct slots listed = module_index_listed(index);

	module_index_match(index, facet, value, &set);
	slots_intersect(&set, &listed);
	return slots_total(&set);
}

static void matches_values(void **state)
{
	AUTO_MODULE_INDEX struct module_index *index = make_zoo();
	static const struct {
		enum facet facet;
		const char *value;
		int64_t total;
	} cases[] = {
		{FACET_TASK, "walking", 2},
		{FACET_TASK, "sleeping", 1},
		{FACET_TASK, "walk", 0},
		{FACET_DATASET, "walking", 0},
		{FACET_CACHED, "true", 1},
		{FACET_CACHED, "false", 2},
		{FACET_TENSORFLOW_VERSION, "2", 2},
		{FACET_TENSORFLOW_VERSION, "2.1", 1},
		{FACET_TENSORFLOW_VERSION, "2.11.0", 1},
		{FACET_TENSORFLOW_VERSION, "2.11.0.1", 0},
		{FACET_TENSORFLOW_VERSION, "1", 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(matching(index, cases[i].facet, cases[i].value), cases[i].total);
	module_index_forget_values(index, 7);
	assert_int_equal(matching(index, FACET_TASK, "walking"), 1);
	module_index_give(index, 7, 2);
	module_index_give(index, 7, 2);
	assert_int_equal(matching(index, FACET_TASK, "sleeping"), 2);
	/* What is not known does no harm. */
	module_index_give(index, 7, 1000);
	module_index_give(index, 1000, 1);
	module_index_forget_values(index, -1);
}

static void counts_values(void **state)
{
	AUTO_MODULE_INDEX struct module_index *index = make_zoo();
	AUTO_SLOTS struct slots listed = module_index_listed(index);
	struct facet_count counts[4];

	assert_int_equal(module_index_count(index, &(struct counting){FACET_TASK}, &listed, counts, 4), 2);
	assert_string_equal(counts[0].value, "walking");
	assert_int_equal(counts[0].count, 2);
	assert_string_equal(counts[1].value, "sleeping");
	assert_int_equal(counts[1].count, 1);
	assert_int_equal(module_index_count(index, &(struct counting){FACET_TASK}, &listed, counts, 1), 2);
	assert_int_equal(module_index_count(index, &(struct counting){FACET_LICENSE}, &listed, counts, 4), 0);
	assert_int_equal(module_index_count(index, &(struct counting){FACET_CACHED}, &listed, counts, 4), 2);
	assert_int_equal(counts[0].count + counts[1].count, 3);
}

static void finds_words_in_names(void **state)
{
	AUTO_MODULE_INDEX struct module_index *index = make_zoo();
	static const struct {
		const char *word;
		const char *whole;
		const char *inside;
	} cases[] = {
		{"tiger", "7", "3 7"},
		{"tigers", "3", "3"},
		{"v2", "7", "7"},
		{"iger", "", "3 7"},
		{"acme", "3 4", "3 4"},
		{"acme/x", "4", "4"},
		{"1", "3", "3"},
		{"o/t", "", "7"},
		{"xzoo", "", ""},
		{"tiger_v2acme", "", ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_SLOTS struct slots listed = module_index_listed(index);
		AUTO_SLOTS struct slots whole = slots_init(module_index_slots(index));
		AUTO_SLOTS struct slots inside = slots_init(module_index_slots(index));

		handles_match(module_index_handles(index), cases[i].word, &whole, &inside);
		slots_intersect(&whole, &listed);
		slots_intersect(&inside, &listed);
		check_walk(index, SORT_NAME, &whole, NULL, cases[i].whole);
		check_walk(index, SORT_NAME, &inside, NULL, cases[i].inside);
	}
}

static void scribble(char *out, size_t length, uint32_t *seed)
{
	static const char letters[] = "ab-cd0e_";

	for (size_t i = 0; i < length; i++) {
		*seed = *seed * 1664525 + 1013904223;
		out[i] = letters[*seed >> 29];
	}
	out[length] = '\0';
}

static bool stands_alone(const char *name, const char *word)
{
	size_t length = strlen(word);

	for (const char *hit = strstr(name, word); hit; hit = strstr(hit + 1, word)) {
		if ((hit == name || !isalnum((unsigned char)hit[-1])) && !isalnum((unsigned char)hit[length]))
			return true;
	}
	return false;
}

/* Names are told apart by marks that may be alike before they are read. */
static void finds_words_as_reading_all_names_does(void **state)
{
	enum { NAMES = 300, WORDS = 300, LONGEST = 40 };
	AUTO_MODULE_INDEX struct module_index *index = module_index_create();
	char names[NAMES][LONGEST + 1];
	uint32_t seed = 1;

	for (size_t i = 0; i < NAMES; i++) {
		scribble(names[i], 1 + i % LONGEST, &seed);
		module_index_append(
			index, &(struct module_facts){.id = (int64_t)i, .handle = names[i], .listed = true});
	}
	for (size_t i = 0; i < WORDS; i++) {
		AUTO_SLOTS struct slots whole = slots_init(NAMES);
		AUTO_SLOTS struct slots inside = slots_init(NAMES);
		char word[8];

		scribble(word, 1 + i % 6, &seed);
		handles_match(module_index_handles(index), word, &whole, &inside);
		for (size_t slot = 0; slot < NAMES; slot++) {
			assert_int_equal(slots_have(&inside, slot), strstr(names[slot], word) != NULL);
			assert_int_equal(slots_have(&whole, slot), stands_alone(names[slot], word));
		}
	}
}

static void is_empty_at_first(void **state)
{
	AUTO_MODULE_INDEX struct module_index *index = module_index_create();
	AUTO_SLOTS struct slots none = {0};
	struct facet_count counts[2];

	module_index_sort(index);
	none = module_index_listed(index);
	check_walk(index, SORT_NAME, &none, NULL, "");
	handles_match(module_index_handles(index), "a", &none, &none);
	module_index_match(index, FACET_CACHED, "false", &none);
	assert_int_equal(slots_total(&none), 0);
	assert_int_equal(module_index_count(index, &(struct counting){FACET_TASK}, &none, counts, 2), 0);
	assert_true(module_index_set(index, &zoo[0]));
	assert_int_equal(matching(index, FACET_CACHED, "true"), 1);
}

/* The very words of a name, its initials, and what is no more than a part of either. */
static void finds_names_of_the_very_words(void **state)
{
	static const char *const names[] = {"acme/two-big_lions", "acme/two/big/lions", "acme/lions",
		"lions/acme", "acme/two-big-lions-more", "acme/Two.Big.Lions", "acme/lions-2-big"};
	static const struct {
		const char *const words[4];
		size_t count;
		const char *found;
	} cases[] = {
		{{"two", "big", "lions"}, 3, "0 1 5"},
		{{"acme", "two", "big", "lions"}, 4, "0 1 5"},
		{{"lions"}, 1, "2"},
		{{"acme"}, 1, "3"},
		{{"acme", "lions"}, 2, "2"},
		{{"tbl"}, 1, "0 5"},
		{{"tblm"}, 1, "4"},
		{{"tb"}, 1, ""},
		{{"l2b"}, 1, ""},
		{{"two", "big"}, 2, ""},
		{{"twobiglions"}, 1, ""},
	};
	AUTO(handles_finish) struct handles handles = {0};
	AUTO_SLOTS struct slots all = slots_init(sizeof names / sizeof *names);

	handles_init(&handles);
	for (size_t i = 0; i < all.count; i++) {
		handles_append(&handles, names[i]);
		slots_add(&all, i);
	}
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_SLOTS struct slots found = slots_init(all.count);
		AUTO_BUFFER struct buffer text = {0};

		handles_match_exactly(&handles, cases[i].words, cases[i].count, &all, &found);
		for (size_t slot = 0; slot < all.count; slot++) {
			if (slots_have(&found, slot))
				buffer_printf(&text, "%s%zu", text.length ? " " : "", slot);
		}
		assert_string_equal(buffer_string(&text), cases[i].found);
	}
}

/* Every word with one letter left out, put in, exchanged or turned around means the word. */
static void finds_what_was_meant(void **state)
{
	static const char *const words[] = {"mobilenet", "efficientnet", "stylization", "giraffe", "walrus"};
	AUTO(handles_finish) struct handles handles = {0};

	handles_init(&handles);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		handles_append(&handles, words[i]);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const char *word = words[i];
		size_t length = strlen(word);

		assert_null(handles_nearest(&handles, word));
		for (size_t at = 0; at + 1 < length; at++) {
			int n = (int)at;
			AUTO_FREE char *out = mem_printf("%.*s%s", n, word, word + at + 1);
			AUTO_FREE char *in = mem_printf("%.*sq%s", n, word, word + at);
			AUTO_FREE char *other = mem_printf("%.*sQ%s", n, word, word + at + 1);
			AUTO_FREE char *turned =
				mem_printf("%.*s%c%c%s", n, word, word[at + 1], word[at], word + at + 2);

			assert_string_equal(handles_nearest(&handles, out), word);
			assert_string_equal(handles_nearest(&handles, in), word);
			assert_string_equal(handles_nearest(&handles, other), word);
			if (word[at] != word[at + 1])
				assert_string_equal(handles_nearest(&handles, turned), word);
		}
	}
	assert_null(handles_nearest(&handles, "wal"));
	assert_null(handles_nearest(&handles, "elephant"));
	assert_null(handles_nearest(&handles, "stylizationstylizationstylizationstylization"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_in_every_order),
		cmocka_unit_test(finds_names_of_the_very_words),
		cmocka_unit_test(finds_what_was_meant),
		cmocka_unit_test(orders_those_that_nobody_asked_for),
		cmocka_unit_test(goes_on_behind_a_place),
		cmocka_unit_test(follows_changes),
		cmocka_unit_test(matches_values),
		cmocka_unit_test(counts_values),
		cmocka_unit_test(finds_words_in_names),
		cmocka_unit_test(finds_words_as_reading_all_names_does),
		cmocka_unit_test(is_empty_at_first),
	};

	return cmocka_run_group_tests_name("module_index", tests, NULL, NULL);
}
