/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_search.h"

#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/names.h"
#include "common/number.h"
#include "common/utf8.h"
#include "server/store/catalog/catalog_deployments.h"
#include "server/store/catalog/catalog_families.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_rows.h"
#include "server/store/search/families.h"
#include "server/store/search/handles.h"
#include "server/store/search/search.h"
#include "server/store/search/search_terms.h"

/* MEANT_BELOW: few enough hits to ask whether other words were meant, which must have MEANT_TIMES as many. */
enum { WORDS_MAX = 16, MEANT_BELOW = 10, MEANT_TIMES = 10 };

static const char *const sort_names[SORT_COUNT] = {
	[SORT_NAME] = "name",
	[SORT_DOWNLOADS] = "downloads",
	[SORT_UPDATED] = "updated",
	[SORT_SIZE] = "size",
	[SORT_TRENDING] = "trending",
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

struct words {
	char *text; /* what the items point into */
	const char *items[WORDS_MAX];
	size_t count;
};

static void finish_words(struct words *words)
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

static bool split_words(const char *q, struct words *words, struct err *err)
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

/* ---- where a page begins: "<sort><rank>.<number>.<tie>.<handle>" ---- */

/* How good a hit is: the very words, then the tiers. */
enum { RANK_EXACT, RANK_OF_TIERS, RANK_COUNT = RANK_OF_TIERS + TIER_COUNT };

struct start {
	size_t rank;
	bool has_place;
	struct place_in_order place;
};

static const char sort_letters[SORT_COUNT] = {
	[SORT_NAME] = 'n',
	[SORT_DOWNLOADS] = 'd',
	[SORT_UPDATED] = 'u',
	[SORT_SIZE] = 's',
	[SORT_TRENDING] = 't',
	[SORT_RELEVANCE] = 'r',
};

static char *start_text(enum module_sort sort, size_t rank, const struct place_in_order *place)
{
	return mem_printf("%c%zu.%" PRId64 ".%" PRId64 ".%s", sort_letters[sort], rank, place->number,
		place->tie, place->handle);
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
	int ranks = sort == SORT_RELEVANCE ? RANK_COUNT : 1;
	const char *rest;

	if (!text || !*text)
		return true;
	if (text[0] != sort_letters[sort] || text[1] < '0' || text[1] >= '0' + ranks || text[2] != '.')
		return false;
	out->rank = (size_t)(text[1] - '0');
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
	struct slots ranks[RANK_COUNT]; /* of all words; of count 0 without any */
	bool has_words;
	bool has_handle;
	size_t unknown; /* words that are in no name, description and tag, one bit each */
	struct slots
		chosen[FACET_COUNT]; /* what the filters of each facet let through; of count 0 without any */
	struct slots result;
	struct slots folded; /* of the result: what has no row of its own */
};

static void finish_selection(struct selection *selection)
{
	for (size_t rank = 0; rank < RANK_COUNT; rank++)
		slots_finish(&selection->ranks[rank]);
	for (size_t facet = 0; facet < FACET_COUNT; facet++)
		slots_finish(&selection->chosen[facet]);
	slots_finish(&selection->result);
	slots_finish(&selection->folded);
}

/* The words as handles have them: split at what separates words there. */
struct tokens {
	char *text;
	const char *items[2 * WORDS_MAX];
	size_t count; /* 0: none, or too many */
};

static void finish_tokens(struct tokens *tokens)
{
	free(tokens->text);
}

static void split_tokens(const struct words *words, struct tokens *out)
{
	AUTO_BUFFER struct buffer text = {0};
	char *rest;

	for (size_t i = 0; i < words->count; i++)
		buffer_printf(&text, "%s ", words->items[i]);
	out->text = buffer_take(&text);
	for (char *at = out->text; *at; at++)
		*at = (char)(*at & 0x80 || isalnum((unsigned char)*at) ? tolower((unsigned char)*at) : ' ');
	for (char *token = strtok_r(out->text, " ", &rest); token; token = strtok_r(NULL, " ", &rest)) {
		if (out->count == sizeof out->items / sizeof *out->items) {
			out->count = 0;
			return;
		}
		out->items[out->count++] = token;
	}
}

/* The module that was named, and those whose names are the words and no more. */
static void match_exactly(const struct words *words, struct selection *selection)
{
	struct slots *exact = &selection->ranks[RANK_EXACT];
	AUTO(finish_tokens) struct tokens tokens = {0};
	const char *handle = selection->query->handle;
	size_t slot;

	*exact = slots_init(module_index_slots(selection->index));
	split_tokens(words, &tokens);
	handles_match_exactly(module_index_handles(selection->index), tokens.items, tokens.count,
		&selection->ranks[RANK_OF_TIERS + TIER_IN_NAME], exact);
	selection->has_handle = handle && module_index_find_handle(selection->index, handle, &slot) &&
				module_index_is_listed(selection->index, slot);
	if (selection->has_handle)
		slots_add(exact, slot);
	for (size_t rank = RANK_OF_TIERS; handle && rank < RANK_COUNT; rank++)
		slots_unite(&selection->ranks[rank], exact);
}

static void match_word(const struct term *term, size_t number, struct selection *selection)
{
	for (size_t tier = 0; tier < TIER_COUNT; tier++) {
		struct slots *rank = &selection->ranks[RANK_OF_TIERS + tier];

		if (number == 0)
			*rank = slots_copy(&term->tiers[tier]);
		else
			slots_intersect(rank, &term->tiers[tier]);
	}
	if (slots_total(&term->tiers[TIER_ABOUT]) == 0)
		selection->unknown |= (size_t)1 << number;
}

static bool match_words(struct search *search, struct txn *txn, const struct words *words,
	struct selection *selection, struct err *err)
{
	selection->has_words = words->count > 0;
	for (size_t i = 0; i < words->count; i++) {
		bool is_last = i + 1 == words->count;
		struct term *term;

		if (!terms_find(search->terms, search->index, txn, words->items[i], is_last, &term, err))
			return false;
		match_word(term, i, selection);
		terms_release(search->terms, term);
	}
	if (selection->has_words)
		match_exactly(words, selection);
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
		slots_intersect(&set, &selection->ranks[RANK_COUNT - 1]);
	for (enum facet facet = 0; facet < FACET_COUNT; facet++) {
		if (facet != without && selection->chosen[facet].words)
			slots_intersect(&set, &selection->chosen[facet]);
	}
	if (selection->query->min_size > 0 || selection->query->max_size > 0)
		module_index_keep_sizes(
			selection->index, selection->query->min_size, selection->query->max_size, &set);
	return set;
}

static void count_facet(const struct selection *selection, enum facet facet, struct facet_rows *out)
{
	const struct module_query *query = selection->query;
	const struct counting counting = {facet, query->is_counted, query->context};
	struct facet_count counts[FACET_VALUES_MAX];
	AUTO_SLOTS struct slots own = {0};

	if (selection->chosen[facet].words)
		own = matching(selection, facet);
	out->total = module_index_count(
		selection->index, &counting, own.words ? &own : &selection->result, counts, FACET_VALUES_MAX);
	out->count = out->total < FACET_VALUES_MAX ? out->total : FACET_VALUES_MAX;
	out->rows = mem_zero(out->count + 1, sizeof *out->rows);
	for (size_t i = 0; i < out->count; i++)
		out->rows[i] = (struct facet_row){mem_dup(counts[i].value), counts[i].count};
}

/* ---- a page ---- */

struct hits {
	size_t *slots;
	size_t *ranks;
	size_t count;
	size_t max;
};

static void finish_hits(struct hits *hits)
{
	free(hits->slots);
	free(hits->ranks);
}

static void take_hits(
	const struct selection *selection, size_t rank, const struct slots *set, struct hits *hits)
{
	bool begins_here = selection->start.has_place && rank == selection->start.rank;
	size_t found = module_index_walk(selection->index, selection->sort, set,
		begins_here ? &selection->start.place : NULL, hits->slots + hits->count,
		hits->max - hits->count);

	for (size_t i = 0; i < found; i++)
		hits->ranks[hits->count++] = rank;
}

/* All hits that have a row. */
static struct slots all_rows(const struct selection *selection)
{
	struct slots set = slots_copy(&selection->result);

	slots_subtract(&set, &selection->folded);
	return set;
}

/* The hits of one rank that are in none before it; each but the first includes those before it, and the first
 * may have some that the second has not. */
static struct slots only_rank(const struct selection *selection, size_t rank)
{
	struct slots set = all_rows(selection);

	slots_intersect(&set, &selection->ranks[rank]);
	for (size_t i = 0; rank > 0 && i < slots_words(set.count); i++)
		set.words[i] &=
			~(selection->ranks[rank - 1].words[i] | selection->ranks[RANK_EXACT].words[i]);
	return set;
}

static void find_hits(const struct selection *selection, struct hits *hits)
{
	if (selection->sort != SORT_RELEVANCE) {
		AUTO_SLOTS struct slots set = all_rows(selection);

		take_hits(selection, selection->start.rank, &set, hits);
		return;
	}
	for (size_t rank = selection->start.rank; rank < RANK_COUNT && hits->count < hits->max; rank++) {
		AUTO_SLOTS struct slots set = only_rank(selection, rank);

		take_hits(selection, rank, &set, hits);
	}
}

/* What the lock guards ends here: ids, counts and the way to the next page. */
struct findings {
	int64_t *ids;
	size_t count;
	struct family *families; /* of each; NULL unless lists are folded */
};

static void finish_findings(struct findings *findings)
{
	free(findings->ids);
	free(findings->families);
}

static void collect_hits(const struct selection *selection, const struct hits *hits, struct findings *out)
{
	out->ids = mem_zero(out->count + 1, sizeof *out->ids);
	if (selection->query->fold)
		out->families = mem_zero(out->count + 1, sizeof *out->families);
	for (size_t i = 0; i < out->count; i++) {
		out->ids[i] = module_index_id(selection->index, hits->slots[i]);
		if (out->families)
			out->families[i] = family_find(selection->index, hits->slots[i]);
	}
}

static void collect(const struct selection *selection, struct findings *out, struct module_list *list)
{
	size_t limit = selection->query->limit;
	/* One more than asked for tells whether there is another page. */
	AUTO(finish_hits)
	struct hits hits = {.slots = mem_zero(limit + 1, sizeof(size_t)),
		.ranks = mem_zero(limit + 1, sizeof(size_t)),
		.max = limit + 1};

	find_hits(selection, &hits);
	out->count = hits.count < limit ? hits.count : limit;
	collect_hits(selection, &hits, out);
	if (hits.count > limit && limit > 0) {
		struct place_in_order last =
			module_index_place(selection->index, selection->sort, hits.slots[limit - 1]);

		list->next = start_text(selection->sort, hits.ranks[limit - 1], &last);
	}
	list->total = slots_total(&selection->result);
	list->has_handle = selection->has_handle;
	for (enum facet facet = 0; selection->query->facets && facet < FACETS_COUNTED; facet++)
		count_facet(selection, facet, &list->facets[facet]);
}

/* Where hits are ranked, a deployment that is the better hit keeps its row. */
static struct slots find_folded(const struct selection *selection)
{
	bool ranked = selection->has_words && selection->sort == SORT_RELEVANCE;

	return families_fold(selection->index, &selection->result, selection->ranks, ranked ? RANK_COUNT : 0);
}

static bool select_matching(struct search *search, struct txn *txn, const struct words *words,
	struct selection *selection, struct err *err)
{
	if (!match_words(search, txn, words, selection, err))
		return false;
	match_filters(selection);
	selection->result = matching(selection, FACET_COUNT);
	selection->folded =
		selection->query->fold ? find_folded(selection) : slots_init(selection->result.count);
	return true;
}

/* ---- what was meant ---- */

/* The words with those that are nowhere replaced by the nearest that are; NULL: there is none. */
static char *find_meant(const struct selection *selection, const struct words *words)
{
	const struct handles *handles = module_index_handles(selection->index);
	AUTO_BUFFER struct buffer text = {0};
	bool any = false;

	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i];
		const char *meant = selection->unknown >> i & 1 ? handles_nearest(handles, word) : NULL;

		any = any || meant;
		buffer_printf(&text, "%s%s", i ? " " : "", meant ? meant : word);
	}
	return any ? buffer_take(&text) : NULL;
}

/* Asks for what may have been meant only where little was found, and tells of it only where much would be. */
static bool guess(struct search *search, struct txn *txn, const struct selection *selection,
	const struct words *words, struct module_list *list, struct err *err)
{
	AUTO(finish_selection)
	struct selection other = {
		.query = selection->query, .index = selection->index, .sort = selection->sort};
	AUTO_FREE char *meant =
		list->total < MEANT_BELOW && selection->unknown ? find_meant(selection, words) : NULL;
	AUTO(finish_words) struct words better = {0};

	if (!meant)
		return true;
	if (!split_words(meant, &better, err) || !select_matching(search, txn, &better, &other, err))
		return false;
	if (slots_total(&other.result) > MEANT_TIMES * list->total)
		list->meant = TAKE(meant);
	return true;
}

static bool select_modules(struct search *search, struct txn *txn, const struct words *words,
	const struct module_query *query, struct findings *out, struct module_list *list, struct err *err)
{
	AUTO(finish_selection) struct selection selection = {.query = query, .index = search->index};

	selection.sort = query->sort == SORT_RELEVANCE && words->count == 0 ? SORT_NAME : query->sort;
	if (!read_start(query->after, selection.sort, &selection.start))
		return err_set(err, ERR_BAD_REQUEST,
			"The cursor is none of ours, or of another list: take it from \"next\" of the page "
			"before.");
	if (!select_matching(search, txn, words, &selection, err))
		return false;
	collect(&selection, out, list);
	return selection.start.has_place || guess(search, txn, &selection, words, list, err);
}

static bool load_items(
	struct txn *txn, const struct findings *findings, struct module_list *list, struct err *err)
{
	list->items = mem_zero(findings->count + 1, sizeof *list->items);
	list->deployments = mem_zero(findings->count + 1, sizeof *list->deployments);
	for (size_t i = 0; i < findings->count; i++) {
		bool found;

		if (!summary_load(txn, findings->ids[i], &list->items[list->count], &found, err))
			return false;
		list->count += found;
		if (found && findings->families &&
			!family_load(txn, &findings->families[i], &list->deployments[list->count - 1], err))
			return false;
	}
	return true;
}

bool catalog_list_modules(
	struct catalog *catalog, const struct module_query *query, struct module_list *out, struct err *err)
{
	AUTO(module_list_finish) struct module_list list = {0};
	AUTO(finish_findings) struct findings findings = {0};
	AUTO(finish_words) struct words words = {0};
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
	for (size_t i = 0; i < list->count; i++) {
		module_summary_finish(&list->items[i]);
		deployments_finish(&list->deployments[i]);
	}
	free(list->deployments);
	for (size_t facet = 0; facet < FACETS_COUNTED; facet++) {
		for (size_t i = 0; i < list->facets[facet].count; i++)
			free(list->facets[facet].rows[i].value);
		free(list->facets[facet].rows);
	}
	free(list->items);
	free(list->next);
	free(list->meant);
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
