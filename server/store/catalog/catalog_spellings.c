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
	[KNOWS] = "SELECT max(v.version = ?2) FROM modules m JOIN versions v ON v.module_id = m.id"
		  " WHERE m.handle = ?1",
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

/* 0: it is not known, 1: it is, 2: with the version. */
static bool rate(struct txn *txn, const char *handle, int64_t version, int *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[KNOWS], VALUES(v_text(handle), v_int(version)));

	*out = 0;
	if (rows_next(rows) && !rows_is_null(rows, 0))
		*out = rows_int(rows, 0) != 0 || version == 0 ? 2 : 1;
	return rows_done(rows, err);
}

/* Keeps the handle with this word if it is better than what was found. */
static bool try_word(struct txn *txn, const struct spelling *spelling, const char *word, size_t length,
	char out[NAME_PATH_MAX + 1], int *best, struct err *err)
{
	AUTO_FREE char *handle =
		mem_printf("%s/%.*s/%s", spelling->before, (int)length, word, spelling->behind);
	int rating;

	if (strlen(handle) > NAME_PATH_MAX || !spelling->takes(spelling->context, word, length))
		return true;
	if (!rate(txn, handle, spelling->version, &rating, err))
		return false;
	if (rating > *best) {
		*best = rating;
		(void)snprintf(out, NAME_PATH_MAX + 1, "%s", handle);
	}
	return true;
}

bool catalog_find_spelling(struct catalog *catalog, const struct spelling *spelling,
	char out[NAME_PATH_MAX + 1], bool *found, struct err *err)
{
	AUTO_FREE char *from = mem_printf("%s/", spelling->before);
	size_t start = strlen(from);
	AUTO_TXN struct txn *txn = NULL;
	int best = 0;

	*found = false;
	if (!db_read(catalog->db, &txn, err))
		return false;
	for (int words = 0; words < SPELLING_WORDS_MAX && best < 2; words++) {
		AUTO_FREE char *handle = NULL;
		size_t length;

		if (!first_from(txn, from, spelling->before, &handle, err))
			return false;
		if (!handle)
			break;
		length = strcspn(handle + start, "/");
		if (!try_word(txn, spelling, handle + start, length, out, &best, err))
			return false;
		free(from);
		from = mem_printf(
			"%.*s%c", (int)(start + length), handle, handle[start + length] ? '0' : '!');
	}
	*found = best > 0;
	return true;
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
