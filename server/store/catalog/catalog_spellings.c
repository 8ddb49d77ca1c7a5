/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_spellings.h"

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { FIRST_BETWEEN, KNOWS, LAST_VERSION };

static const char *const sql[] = {
	[FIRST_BETWEEN] =
		"SELECT handle FROM modules WHERE handle >= ?1 AND handle < ?2 ORDER BY handle LIMIT 1",
	[KNOWS] = "SELECT EXISTS (SELECT 1 FROM versions v WHERE v.module_id = m.id),"
		  " EXISTS (SELECT 1 FROM versions v WHERE v.module_id = m.id AND v.version = ?2),"
		  " EXISTS (SELECT 1 FROM versions v WHERE v.module_id = m.id AND v.source = 'published')"
		  " FROM modules m WHERE m.handle = ?1",
	[LAST_VERSION] = "SELECT max(v.version) FROM modules m JOIN versions v ON v.module_id = m.id"
			 " WHERE m.handle = ?1",
};

/* The first handle from this text on that begins with "<before>/"; NULL where there is none. */
static bool first_from(struct txn *txn, const char *from, const char *before, char **out, struct err *err)
{
	/* "0" comes right behind "/". */
	AUTO_FREE char *end = mem_printf("%s0", before);
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIRST_BETWEEN], VALUES(v_text(from), v_text(end)));

	*out = rows_next(rows) ? rows_dup(rows, 0) : NULL;
	return rows_done(rows, err);
}

/* What speaks for a known handle: whichever has the weightier one counts. */
enum { HAS_VERSION = 1, OWN_WORD = 2, WRITTEN = 4, PUBLISHED = 8, UNKNOWN = -1 };

/* Of what its versions are; UNKNOWN where it has none. */
static bool rate(struct txn *txn, const char *handle, int64_t version, int *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[KNOWS], VALUES(v_text(handle), v_int(version)));

	*out = UNKNOWN;
	if (rows_next(rows) && rows_int(rows, 0))
		*out = (rows_int(rows, 1) || version == 0 ? HAS_VERSION : 0) |
		       (rows_int(rows, 2) ? PUBLISHED : 0);
	return rows_done(rows, err);
}

/* The best handle that was found so far. */
struct pick {
	const struct spelling *spelling;
	char *out; /* of NAME_PATH_MAX + 1 */
	int best;
};

static bool is_word(const char *word, size_t length, const char *other)
{
	return strlen(other) == length && strncmp(word, other, length) == 0;
}

static int rate_word(const struct spelling *spelling, const char *word, size_t length)
{
	return (is_word(word, length, spelling->written) ? WRITTEN : 0) |
	       (is_word(word, length, spelling->framework->word) ? OWN_WORD : 0);
}

/* What strangers have had fetched is not to tell a publisher where he publishes. */
static bool may_count(const struct spelling *spelling, int rating)
{
	return !spelling->for_upload || (rating & (PUBLISHED | OWN_WORD));
}

/* Keeps the handle with this word if it is better than what was found. */
static bool try_word(struct txn *txn, struct pick *pick, const char *word, size_t length, struct err *err)
{
	const struct spelling *spelling = pick->spelling;
	AUTO_FREE char *handle =
		mem_printf("%s/%.*s/%s", spelling->before, (int)length, word, spelling->behind);
	int rating;

	if (strlen(handle) > NAME_PATH_MAX || !framework_is(spelling->framework, word, length))
		return true;
	if (!rate(txn, handle, spelling->version, &rating, err))
		return false;
	if (rating == UNKNOWN)
		return true;
	rating |= rate_word(spelling, word, length);
	if (rating > pick->best && may_count(spelling, rating)) {
		pick->best = rating;
		(void)snprintf(pick->out, NAME_PATH_MAX + 1, "%s", handle);
	}
	return true;
}

/* All words that are known, in their order, until a handle is found that is published. */
static bool try_others(struct txn *txn, struct pick *pick, struct err *err)
{
	const char *before = pick->spelling->before;
	AUTO_FREE char *from = mem_printf("%s/", before);
	size_t start = strlen(from);

	for (int words = 0; words < SPELLING_WORDS_MAX && pick->best < PUBLISHED; words++) {
		AUTO_FREE char *handle = NULL;
		size_t length;

		if (!first_from(txn, from, before, &handle, err))
			return false;
		if (!handle)
			return true;
		length = strcspn(handle + start, "/");
		if (!try_word(txn, pick, handle + start, length, err))
			return false;
		free(from);
		from = mem_printf(
			"%.*s%c", (int)(start + length), handle, handle[start + length] ? '0' : '!');
	}
	return true;
}

/* However many words there are, those that are asked for first are not hidden behind them. */
static bool pick_handle(struct txn *txn, struct pick *pick, struct err *err)
{
	const struct spelling *spelling = pick->spelling;
	const char *own = spelling->framework->word;

	return try_word(txn, pick, spelling->written, strlen(spelling->written), err) &&
	       try_word(txn, pick, own, strlen(own), err) && try_others(txn, pick, err);
}

bool catalog_find_spelling(struct catalog *catalog, const struct spelling *spelling,
	char out[NAME_PATH_MAX + 1], bool *found, struct err *err)
{
	struct pick pick = {spelling, out, UNKNOWN};
	AUTO_TXN struct txn *txn = NULL;

	*found = false;
	if (!db_read(catalog->db, &txn, err) || !pick_handle(txn, &pick, err))
		return false;
	*found = pick.best != UNKNOWN;
	return true;
}

/* What an address answers never changes. */
static bool is_address(struct txn *txn, const struct name *name, bool *out, struct err *err)
{
	int rating = UNKNOWN;

	*out = false;
	if (name->version > 0 && !rate(txn, name->handle, name->version, &rating, err))
		return false;
	*out = rating != UNKNOWN && (rating & HAS_VERSION);
	return true;
}

bool catalog_settle_name(struct catalog *catalog, struct name *name, struct err *err)
{
	struct framework framework;
	AUTO_TXN struct txn *txn = NULL;
	bool settled;
	size_t at;

	if (!framework_of_handle(name->handle, &framework, &at))
		return true;
	if (!db_read(catalog->db, &txn, err) || !is_address(txn, name, &settled, err))
		return false;
	if (settled)
		return true;
	AUTO_FREE char *before = mem_dup_n(name->handle, at - 1);
	const char *end = strchr(name->handle + at, '/');
	AUTO_FREE char *word = mem_dup_n(name->handle + at, (size_t)(end - name->handle) - at);
	AUTO_FREE char *behind = mem_dup(end + 1);
	const struct spelling spelling = {before, behind, &framework, word, name->version, false};
	struct pick pick = {&spelling, name->handle, UNKNOWN};

	(void)snprintf(name->handle, sizeof name->handle, "%s/%s/%s", before, framework.word, behind);
	return pick_handle(txn, &pick, err);
}

bool catalog_has_below(struct catalog *catalog, const char *before, bool *out, struct err *err)
{
	AUTO_FREE char *from = mem_printf("%s/", before);
	AUTO_FREE char *handle = NULL;
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err) || !first_from(txn, from, before, &handle, err))
		return false;
	*out = handle != NULL;
	return true;
}

bool catalog_last_version(struct catalog *catalog, const char *handle, int64_t *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LAST_VERSION], VALUES(v_text(handle)));

	*out = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}
