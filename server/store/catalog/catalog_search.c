/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_search.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/names.h"
#include "common/number.h"
#include "common/utf8.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_rows.h"
#include "server/store/search/search.h"
#include "server/store/search/search_terms.h"

enum { WORDS_MAX = 16 };

static const char *const sort_names[SORT_COUNT] = {
	[SORT_NAME] = "name",
	[SORT_DOWNLOADS] = "downloads",
	[SORT_UPDATED] = "updated",
	[SORT_SIZE] = "size",
	[SORT_RELEVANCE] = "relevance",
};

bool facet_parse(const char *name, enum facet *out)
{
	size_t place = names_find(facet_names, FACET_COUNT, name);

	if (place == FACET_COUNT)
		return false;
	*out = (enum facet)place;
	return true;
}

bool module_sort_parse(const char *name, enum module_sort *out)
{
	size_t place = names_find(sort_names, SORT_COUNT, name);

	if (place == SORT_COUNT)
		return false;
	*out = (enum module_sort)place;
	return true;
}

/* ---- the words of a search ---- */

struct hub_url {
	char *text; /* what the items point into */
	const char *items[WORDS_MAX];
	size_t count;
};

static void finish_words(struct hub_url *words)
{
	free(words->text);
}

/* What is no text separates words. */
static void blank_controls(char *text)
{
	uint32_t code;

	while (*text) {
		size_t length = utf8_decode(text, &code);

		if (length == 0 || utf8_is_control(code)) {
			length = length ? length : 1;
			memset(text, ' ', length);
		}
		text += length;
	}
}

static bool split_words(const char *q, struct hub_url *words, struct err *err)
{
	char *rest;

	words->text = mem_dup(q ? q : "");
	blank_controls(words->text);
	for (char *word = strtok_r(words->text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (words->count == WORDS_MAX)
			return err_set(err, ERR_BAD_REQUEST, "a search takes at most %d words", WORDS_MAX);
		if (strlen(word) > NAME_PATH_MAX)
			return err_set(
				err, ERR_BAD_REQUEST, "a search word has at most %d bytes", NAME_PATH_MAX);
		words->items[words->count++] = word;
	}
	return true;
}

/* ---- where a page begins: "<sort><tier>.<number>.<tie>.<handle>" ---- */

struct start {
	size_t tier;
	bool has_place;
	struct place_in_order place;
};

static char *start_text(enum module_sort sort, size_t tier, const struct place_in_order *place)
{
	return mem_printf("%c%zu.%" PRId64 ".%" PRId64 ".%s", "ndusr"[sort], tier, place -> number,
		place -> tie, place -> handle);
}

/* Reads digits up to a dot; NULL where they are no number, else what is behind it. */
static const char *read_number(const char *text, int64_t *out)
{
	char digits[24];
	size_t length = strcspn(text, ".");

	if (text[length] != '.' || length >= sizeof digits)
		return NULL;
	memcpy(digits, text, length);
	digits[length] = '\0';
	return number_parse(digits, out) ? text + length + 1 : NULL;
}

static bool read_start(const char *text, enum module_sort sort, struct start *out)
{
	const char *rest;

	if (!text || !*text)
		return true;
	if (text[0] != "ndusr"[sort] || text[1] < '0' || text[1] >= '0' + TIER_COUNT || text[2] != '.')
		return false;
	out->tier = (size_t)(text[1] - '0');
	rest = read_number(text + 3, &out->place.number);
	rest = rest ? read_number(rest, &out->place.tie) : NULL;
	out->place.handle = rest;
	out->has_place = true;
	return rest && strlen(rest) <= NAME_PATH_MAX;
}

/* ---- selecting ---- */

/* What a query is made of while it runs. */
struct selection {
	const struct module_query *query;
	const struct module_index *index;
	enum module_sort sort;
	struct start start;
	struct slots tiers[TIER_COUNT]; /* of all words; of count 0 without any */
	bool has_words;
	struct slots
		chosen[FACET_COUNT]; /* what the filters of each facet let through; of count 0 without any */
	struct slots result;
};

static void finish_selection(struct selection *selection)
{
	for (size_t tier = 0; tier < TIER_COUNT; tier++)
		slots_finish(&selection->tiers[tier]);
	for (size_t facet = 0; facet < FACET_COUNT; facet++)
		slots_finish(&selection->chosen[facet]);
	slots_finish(&selection->result);
}

static bool match_words(struct search *search, struct txn *txn, const struct hub_url *words,
	struct selection *selection, struct err *err)
{
	selection->has_words = words->count > 0;
	for (size_t i = 0; i < words->count; i++) {
		bool is_last = i + 1 == words->count;
		struct term *term;

		if (!terms_find(search->terms, search->index, txn, words->items[i], is_last, &term, err))
			return false;
		for (size_t tier = 0; tier < TIER_COUNT; tier++) {
			if (i == 0)
				selection->tiers[tier] = slots_copy(&term->tiers[tier]);
			else
				slots_intersect(&selection->tiers[tier], &term->tiers[tier]);
		}
		terms_release(search->terms, term);
	}
	return true;
}

static void match_filters(struct selection *selection)
{
	for (size_t i = 0; i < selection->query->filter_count; i++) {
		const struct module_filter *filter = &selection->query->filters[i];
		struct slots *chosen = &selection->chosen[filter->facet];

		if (!chosen->words)
			*chosen = slots_init(module_index_slots(selection->index));
		module_index_match(selection->index, filter->facet, filter->value, chosen);
	}
}

/* All that match, but for the filters of one facet (FACET_COUNT: with all of them). */
static struct slots matching(const struct selection *selection, enum facet without)
{
	struct slots set = module_index_listed(selection->index);

	if (selection->has_words)
		slots_intersect(&set, &selection->tiers[TIER_ANYWHERE]);
	for (enum facet facet = 0; facet < FACET_COUNT; facet++) {
		if (facet != without && selection->chosen[facet].words)
			slots_intersect(&set, &selection->chosen[facet]);
	}
	return set;
}

static void count_facet(const struct selection *selection, enum facet facet, struct facet_rows *out)
{
	struct facet_count counts[FACET_VALUES_MAX];
	AUTO_SLOTS struct slots own = {0};

	if (selection->chosen[facet].words)
		own = matching(selection, facet);
	out->count = module_index_count(
		selection->index, facet, own.words ? &own : &selection->result, counts, FACET_VALUES_MAX);
	out->rows = mem_zero(out->count + 1, sizeof *out->rows);
	for (size_t i = 0; i < out->count; i++)
		out->rows[i] = (struct facet_row){mem_dup(counts[i].value), counts[i].count};
}

/* ---- a page ---- */

struct hits {
	size_t *slots;
	size_t *tiers;
	size_t count;
	size_t max;
};

static void finish_hits(struct hits *hits)
{
	free(hits->slots);
	free(hits->tiers);
}

static void take_hits(
	const struct selection *selection, size_t tier, const struct slots *set, struct hits *hits)
{
	bool begins_here = selection->start.has_place && tier == selection->start.tier;
	size_t found = module_index_walk(selection->index, selection->sort, set,
		begins_here ? &selection->start.place : NULL, hits->slots + hits->count,
		hits->max - hits->count);

	for (size_t i = 0; i < found; i++)
		hits->tiers[hits->count++] = tier;
}

/* The hits of one tier that are in none before it. */
static struct slots only_tier(const struct selection *selection, size_t tier)
{
	struct slots set = slots_copy(&selection->result);

	slots_intersect(&set, &selection->tiers[tier]);
	for (size_t i = 0; tier > 0 && i < slots_words(set.count); i++)
		set.words[i] &= ~selection->tiers[tier - 1].words[i];
	return set;
}

static void find_hits(const struct selection *selection, struct hits *hits)
{
	if (selection->sort != SORT_RELEVANCE) {
		take_hits(selection, selection->start.tier, &selection->result, hits);
		return;
	}
	for (size_t tier = selection->start.tier; tier < TIER_COUNT && hits->count < hits->max; tier++) {
		AUTO_SLOTS struct slots set = only_tier(selection, tier);

		take_hits(selection, tier, &set, hits);
	}
}

/* What the lock guards ends here: ids, counts and the way to the next page. */
struct findings {
	int64_t *ids;
	size_t count;
};

static void finish_findings(struct findings *findings)
{
	free(findings->ids);
}

static void collect(const struct selection *selection, struct findings *out, struct module_list *list)
{
	size_t limit = selection->query->limit;
	/* One more than asked for tells whether there is another page. */
	AUTO(finish_hits)
	struct hits hits = {.slots = mem_zero(limit + 1, sizeof(size_t)),
		.tiers = mem_zero(limit + 1, sizeof(size_t)),
		.max = limit + 1};

	find_hits(selection, &hits);
	out->count = hits.count < limit ? hits.count : limit;
	out->ids = mem_zero(limit + 1, sizeof *out->ids);
	for (size_t i = 0; i < out->count; i++)
		out->ids[i] = module_index_id(selection->index, hits.slots[i]);
	if (hits.count > limit && limit > 0) {
		struct place_in_order last =
			module_index_place(selection->index, selection->sort, hits.slots[limit - 1]);

		list->next = start_text(selection->sort, hits.tiers[limit - 1], &last);
	}
	list->total = slots_total(&selection->result);
	for (enum facet facet = 0; selection->query->facets && facet < FACETS_COUNTED; facet++)
		count_facet(selection, facet, &list->facets[facet]);
}

static bool select_modules(struct search *search, struct txn *txn, const struct hub_url *words,
	const struct module_query *query, struct findings *out, struct module_list *list, struct err *err)
{
	AUTO(finish_selection) struct selection selection = {.query = query, .index = search->index};

	selection.sort = query->sort == SORT_RELEVANCE && words->count == 0 ? SORT_NAME : query->sort;
	if (!read_start(query->after, selection.sort, &selection.start))
		return err_set(err, ERR_BAD_REQUEST,
			"The cursor is none of ours, or of another list: take it from \"next\" of the page "
			"before.");
	if (!match_words(search, txn, words, &selection, err))
		return false;
	match_filters(&selection);
	selection.result = matching(&selection, FACET_COUNT);
	collect(&selection, out, list);
	return true;
}

static bool load_items(
	struct txn *txn, const struct findings *findings, struct module_list *list, struct err *err)
{
	list->items = mem_zero(findings->count + 1, sizeof *list->items);
	for (size_t i = 0; i < findings->count; i++) {
		bool found;

		if (!summary_load(txn, findings->ids[i], &list->items[list->count], &found, err))
			return false;
		list->count += found;
	}
	return true;
}

bool catalog_list_modules(
	struct catalog *catalog, const struct module_query *query, struct module_list *out, struct err *err)
{
	AUTO(module_list_finish) struct module_list list = {0};
	AUTO(finish_findings) struct findings findings = {0};
	AUTO(finish_words) struct hub_url words = {0};
	AUTO_TXN struct txn *txn = NULL;
	bool done;

	if (!split_words(query->q, &words, err) || !search_begin(catalog->search, catalog->db, &txn, err))
		return false;
	done = select_modules(catalog->search, txn, &words, query, &findings, &list, err);
	search_end(catalog->search);
	if (!done || !load_items(txn, &findings, &list, err))
		return false;
	*out = list;
	list = (struct module_list){0};
	return true;
}

void module_list_finish(struct module_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		module_summary_finish(&list->items[i]);
	for (size_t facet = 0; facet < FACETS_COUNTED; facet++) {
		for (size_t i = 0; i < list->facets[facet].count; i++)
			free(list->facets[facet].rows[i].value);
		free(list->facets[facet].rows);
	}
	free(list->items);
	free(list->next);
	*list = (struct module_list){0};
}

bool catalog_warm(struct catalog *catalog, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!search_begin(catalog->search, catalog->db, &txn, err))
		return false;
	search_end(catalog->search);
	return true;
}
