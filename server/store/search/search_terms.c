/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/search/search_terms.h"

#include <ctype.h>
#include <pthread.h>

#include "common/buffer.h"
#include "common/lock.h"
#include "server/ranks.h"
#include "server/store/search/handles.h"

static const struct lock_place lock_place = {"search terms", RANK_SEARCH_TERMS};

enum { TERMS_MAX = 256, TERM_IS_COSTLY = 1000 };

struct terms {
	struct lock mutex; /* guards all below, and the uses of all terms */
	struct term *kept[TERMS_MAX];
	uint64_t time;
};

static const char find_text[] = "SELECT rowid FROM module_texts WHERE module_texts MATCH ?1";
static const char find_document[] = "SELECT rowid FROM module_documents WHERE module_documents MATCH ?1";

static void destroy_term(struct term *term)
{
	if (!term)
		return;
	for (size_t tier = 0; tier < TIER_COUNT; tier++)
		slots_finish(&term->tiers[tier]);
	free(term->word);
	free(term);
}
AUTO_CLEANER(own_term, struct term *, destroy_term)

struct terms *terms_create(void)
{
	struct terms *terms = mem_zero(1, sizeof *terms);

	lock_init(&terms->mutex, &lock_place);
	return terms;
}

void terms_destroy(struct terms *terms)
{
	if (!terms)
		return;
	terms_clear(terms);
	lock_finish(&terms->mutex);
	free(terms);
}

void terms_clear(struct terms *terms)
{
	LOCKED(&terms->mutex);

	for (size_t i = 0; i < TERMS_MAX; i++) {
		destroy_term(terms->kept[i]);
		terms->kept[i] = NULL;
	}
}

/* ---- asking the texts ---- */

/* A string of FTS5 says nothing but its words, whatever is in it. */
static char *match_expression(const struct term *term)
{
	AUTO_BUFFER struct buffer text = {0};

	buffer_add_string(&text, "\"");
	for (const char *at = term->word; *at; at++)
		buffer_add(&text, *at == '"' ? "\"\"" : at, *at == '"' ? 2 : 1);
	buffer_add_string(&text, term->is_prefix ? "\" *" : "\"");
	return buffer_take(&text);
}

static bool match_texts(struct txn *txn, const struct module_index *index, const char *statement,
	const struct term *term, struct slots *out, struct err *err)
{
	AUTO_FREE char *expression = match_expression(term);
	AUTO_ROWS struct rows *rows = txn_query(txn, statement, VALUES(v_text(expression)));
	size_t slot;

	while (rows_next(rows)) {
		if (module_index_find(index, rows_int(rows, 0), &slot))
			slots_add(out, slot);
	}
	return rows_done(rows, err);
}

static bool fill_tiers(struct txn *txn, const struct module_index *index, struct term *term, struct err *err)
{
	struct slots *tiers = term->tiers;

	for (size_t tier = 0; tier < TIER_COUNT; tier++)
		tiers[tier] = slots_init(module_index_slots(index));
	handles_match(module_index_handles(index), term->word, &tiers[TIER_NAME], &tiers[TIER_IN_NAME]);
	/* "tflite" is what a module comes as, whether its name says so or not. */
	module_index_match(index, FACET_FORMAT, term->word, &tiers[TIER_NAME]);
	if (!match_texts(txn, index, find_text, term, &tiers[TIER_ABOUT], err))
		return false;
	/* Next to every document has any one letter. */
	if (term->word[1] != '\0' &&
		!match_texts(txn, index, find_document, term, &tiers[TIER_ANYWHERE], err))
		return false;
	for (size_t tier = 1; tier < TIER_COUNT; tier++)
		slots_unite(&tiers[tier], &tiers[tier - 1]);
	return true;
}

static struct term *make_term(const char *word, bool is_prefix)
{
	struct term *term = mem_zero(1, sizeof *term);

	term->word = mem_dup(word);
	term->is_prefix = is_prefix;
	for (char *at = term->word; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return term;
}

/* ---- keeping the answers ---- */

static struct term *find_kept(struct terms *terms, const struct term *wanted)
{
	LOCKED(&terms->mutex);

	for (size_t i = 0; i < TERMS_MAX; i++) {
		struct term *term = terms->kept[i];

		if (term && term->is_prefix == wanted->is_prefix && strcmp(term->word, wanted->word) == 0) {
			term->used_at = ++terms->time;
			term->uses++;
			return term;
		}
	}
	return NULL;
}

/* The place of an empty row, or of the one that was not used for longest and is not in use; NULL: none. */
static struct term **find_place(struct terms *terms)
{
	struct term **oldest = NULL;

	for (size_t i = 0; i < TERMS_MAX; i++) {
		struct term **here = &terms->kept[i];

		if (!*here)
			return here;
		if ((*here)->uses == 1 && (!oldest || (*here)->used_at < (*oldest)->used_at))
			oldest = here;
	}
	return oldest;
}

/* A term is used by whoever asked for it, and by being kept. */
static void keep(struct terms *terms, struct term *term)
{
	bool is_costly = slots_total(&term->tiers[TIER_ANYWHERE]) >= TERM_IS_COSTLY;
	LOCKED(&terms->mutex);
	struct term **place = is_costly ? find_place(terms) : NULL;

	term->uses = 1;
	if (!place)
		return;
	destroy_term(*place);
	*place = term;
	term->used_at = ++terms->time;
	term->uses++;
}

bool terms_find(struct terms *terms, const struct module_index *index, struct txn *txn, const char *word,
	bool is_prefix, struct term **out, struct err *err)
{
	AUTO(own_term) struct term *term = make_term(word, is_prefix);
	struct term *kept = find_kept(terms, term);

	if (!kept) {
		if (!fill_tiers(txn, index, term, err))
			return false;
		kept = TAKE(term);
		keep(terms, kept);
	}
	*out = kept;
	return true;
}

void terms_release(struct terms *terms, struct term *term)
{
	bool last;

	if (!term)
		return;
	lock_acquire(&terms->mutex);
	last = --term->uses == 0;
	lock_release(&terms->mutex);
	if (last)
		destroy_term(term);
}
