/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/search/search.h"

#include "common/mem.h"
#include "common/names.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"search", RANK_SEARCH};
static const struct lock_place following_place = {"search following", RANK_SEARCH_FOLLOWING};

/* Following a change costs as much as reading a few modules anew: from a part of all on, reading all is
 * quicker. STEP: changes that are followed while others wait. */
enum { REBUILD_MIN = 512, REBUILD_PART = 4, STEP = 64 };

enum statement {
	FIND_REVISION,
	COUNT_CHANGES,
	LIST_VALUES,
	LIST_MODULES,
	LIST_PAIRS,
	LIST_CHANGES,
	LIST_VALUES_OF_MODULE
};

#define MODULE_COLUMNS \
	"id, handle, latest_id IS NOT NULL, latest_cached, downloads, updated_at, latest_size_bytes, " \
	"text_revision, active_count, trend," \
	" latest_formats <> '' AND latest_formats NOT LIKE '%,tf-hub,%'"

static const char *const sql[] = {
	[FIND_REVISION] = "SELECT revision FROM search_state",
	[COUNT_CHANGES] = "SELECT count(*) FROM (SELECT 1 FROM modules WHERE revision > ?1 LIMIT ?2)",
	[LIST_VALUES] = "SELECT id, facet, value FROM facet_values",
	[LIST_MODULES] = "SELECT " MODULE_COLUMNS " FROM modules ORDER BY id",
	[LIST_PAIRS] = "SELECT module_id, value_id FROM module_facets ORDER BY module_id, value_id",
	[LIST_CHANGES] = "SELECT " MODULE_COLUMNS
			 ", revision FROM modules WHERE revision > ?1 ORDER BY revision LIMIT ?2",
	[LIST_VALUES_OF_MODULE] = "SELECT f.id, f.facet, f.value FROM module_facets m"
				  " JOIN facet_values f ON f.id = m.value_id WHERE m.module_id = ?1",
};

struct search *search_create(void)
{
	struct search *search = mem_zero(1, sizeof *search);

	rwlock_init(&search->lock, &lock_place);
	lock_init(&search->following, &following_place);
	(void)pthread_cond_init(&search->followed, NULL);
	search->terms = terms_create();
	return search;
}

void search_destroy(struct search *search)
{
	if (!search)
		return;
	module_index_destroy(search->index);
	terms_destroy(search->terms);
	rwlock_finish(&search->lock);
	(void)pthread_cond_destroy(&search->followed);
	lock_finish(&search->following);
	free(search);
}

static bool ask_number(struct txn *txn, const char *text, const struct value *values, size_t count,
	int64_t *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, text, values, count);
	int64_t number = rows_next(rows) ? rows_int(rows, 0) : 0;

	if (!rows_done(rows, err))
		return false;
	*out = number;
	return true;
}

static struct module_facts read_facts(struct rows *rows)
{
	return (struct module_facts){
		.id = rows_int(rows, 0),
		.handle = rows_text(rows, 1),
		.listed = rows_int(rows, 2) != 0,
		.cached = rows_int(rows, 3) != 0,
		.downloads = rows_int(rows, 4),
		.updated_at = rows_int(rows, 5),
		.size_bytes = rows_int(rows, 6),
		.versions = rows_int(rows, 8),
		.trend = rows_int(rows, 9),
		.is_deployment = rows_int(rows, 10) != 0,
	};
}

/* ---- all of it ---- */

/* What a later Larder may count by is none of ours. */
static void add_value(struct module_index *index, struct rows *rows)
{
	size_t facet = names_find(facet_names, FACET_COUNT, rows_text(rows, 1));

	if (facet != FACET_COUNT)
		module_index_add_value(index, rows_int(rows, 0), (enum facet)facet, rows_text(rows, 2));
}

static bool load_values(struct txn *txn, struct module_index *index, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_VALUES], NULL, 0);

	while (rows_next(rows))
		add_value(index, rows);
	return rows_done(rows, err);
}

static bool load_modules(struct txn *txn, struct module_index *index, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_MODULES], NULL, 0);

	while (rows_next(rows)) {
		struct module_facts facts = read_facts(rows);

		module_index_append(index, &facts);
	}
	return rows_done(rows, err);
}

static bool load_pairs(struct txn *txn, struct module_index *index, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_PAIRS], NULL, 0);

	while (rows_next(rows))
		module_index_give(index, rows_int(rows, 0), rows_int(rows, 1));
	return rows_done(rows, err);
}

/* Beside the one that is in use, which is held up for an exchange of pointers only. */
static bool load_all(struct search *search, struct txn *txn, int64_t revision, struct err *err)
{
	AUTO_MODULE_INDEX struct module_index *index = module_index_create();
	AUTO_MODULE_INDEX struct module_index *old = NULL;

	if (!load_values(txn, index, err) || !load_modules(txn, index, err) || !load_pairs(txn, index, err))
		return false;
	module_index_sort(index);
	(void)atomic_fetch_add(&search->built, 1);
	WRITE_LOCKED(&search->lock);
	old = search->index;
	search->index = TAKE(index);
	search->revision = revision;
	terms_clear(search->terms);
	return true;
}

/* ---- what changed ---- */

static bool load_values_of(struct txn *txn, struct module_index *index, int64_t id, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_VALUES_OF_MODULE], VALUES(v_int(id)));

	module_index_forget_values(index, id);
	while (rows_next(rows)) {
		add_value(index, rows);
		module_index_give(index, id, rows_int(rows, 0));
	}
	return rows_done(rows, err);
}

/* whole: up to where the index was whole, before the first step. */
static bool take_change(struct search *search, struct txn *txn, struct rows *rows, int64_t whole, bool *stale,
	struct err *err)
{
	struct module_facts facts = read_facts(rows);
	bool is_rewritten = rows_int(rows, 7) > whole;
	bool is_new = module_index_set(search->index, &facts);

	*stale = *stale || is_new || is_rewritten;
	return !(is_new || is_rewritten) || load_values_of(txn, search->index, facts.id, err);
}

/* Under the lock. The last step brings the index to this revision. */
static bool take_some(
	struct search *search, struct txn *txn, int64_t whole, int64_t revision, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_CHANGES], VALUES(v_int(search->revision), v_int(STEP)));
	int64_t last = revision;
	bool stale = false;
	int taken;

	for (taken = 0; rows_next(rows); taken++) {
		last = rows_int(rows, 11);
		if (!take_change(search, txn, rows, whole, &stale, err))
			return false;
	}
	if (stale)
		terms_clear(search->terms);
	search->revision = taken == STEP ? last : revision;
	return rows_done(rows, err);
}

/* A change that was applied in part is no state at all: the next one to come reads all anew. */
static bool take_step(
	struct search *search, struct txn *txn, int64_t whole, int64_t revision, struct err *err)
{
	WRITE_LOCKED(&search->lock);

	if (take_some(search, txn, whole, revision, err))
		return true;
	atomic_store(&search->far, false);
	module_index_destroy(TAKE(search->index));
	search->revision = 0;
	return false;
}

/* A module comes in the step of its last change, whatever else changed of it before. */
static bool load_changes(struct search *search, struct txn *txn, int64_t revision, struct err *err)
{
	int64_t whole = search->revision;

	while (search->revision < revision) {
		if (!take_step(search, txn, whole, revision, err))
			return false;
	}
	return true;
}

static int64_t rebuild_from(const struct module_index *index)
{
	int64_t part = (int64_t)module_index_slots(index) / REBUILD_PART;

	return part > REBUILD_MIN ? part : REBUILD_MIN;
}

/* ---- locks ---- */

bool search_begin_following(struct search *search)
{
	bool begun;
	LOCKED(&search->following);

	search->waiting++;
	while (search->busy && !atomic_load(&search->far))
		lock_wait(&search->following, &search->followed);
	search->waiting--;
	begun = !search->busy;
	search->busy = true;
	return begun;
}

void search_set_far(struct search *search, bool far)
{
	LOCKED(&search->following);

	atomic_store(&search->far, far);
	if (far)
		(void)pthread_cond_broadcast(&search->followed);
}

void search_end_following(struct search *search)
{
	LOCKED(&search->following);

	search->busy = false;
	atomic_store(&search->far, false);
	(void)pthread_cond_broadcast(&search->followed);
}

static bool follow(struct search *search, struct txn *txn, int64_t revision, struct err *err)
{
	int64_t limit, changes;

	if (!search->index)
		return load_all(search, txn, revision, err);
	limit = rebuild_from(search->index);
	if (!ask_number(
		    txn, sql[COUNT_CHANGES], VALUES(v_int(search->revision), v_int(limit)), &changes, err))
		return false;
	search_set_far(search, changes > STEP);
	return (changes < limit ? load_changes : load_all)(search, txn, revision, err);
}

/* Brings the index up to this snapshot, unless somebody has brought it further, or is about to and that takes
 * a while. Index and revision change only by whoever follows, and under the lock. */
static bool catch_up(struct search *search, struct txn *txn, int64_t revision, struct err *err)
{
	bool done;

	if (!search_begin_following(search))
		return true;
	done = (search->index && search->revision >= revision) || follow(search, txn, revision, err);
	search_end_following(search);
	return done;
}

static bool is_usable(struct search *search, int64_t revision)
{
	if (!search->index || search->revision > revision)
		return false;
	if (search->revision == revision)
		return true;
	if (!atomic_load(&search->far))
		return false;
	(void)atomic_fetch_add(&search->behind, 1);
	return true;
}

/* Whether the index can stand for the snapshot; then the lock is held. */
static bool lock_if_usable(struct search *search, int64_t revision)
{
	rwlock_read(&search->lock);
	if (is_usable(search, revision))
		return true;
	rwlock_release(&search->lock);
	return false;
}

bool search_begin(struct search *search, struct db *db, struct txn **out, struct err *err)
{
	/* Each turn begins a younger snapshot; only a writer that is quicker than all of this, every time,
	 * needs more. */
	for (int turn = 0; turn < 100; turn++) {
		AUTO_TXN struct txn *txn = NULL;
		int64_t revision;

		if (!db_read(db, &txn, err) || !ask_number(txn, sql[FIND_REVISION], NULL, 0, &revision, err))
			return false;
		if (!lock_if_usable(search, revision)) {
			if (!catch_up(search, txn, revision, err))
				return false;
			if (!lock_if_usable(search, revision))
				continue;
		}
		*out = TAKE(txn);
		return true;
	}
	(void)err_set(err, ERR_BUSY, "the catalog changes faster than it can be read");
	err->retry_after_s = 1;
	return false;
}

void search_end(struct search *search)
{
	rwlock_release(&search->lock);
}
