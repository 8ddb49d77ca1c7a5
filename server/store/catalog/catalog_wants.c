/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_wants.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { ADD_WANT, PRUNE_OF_ASKER, PRUNE_OF_ALL, COUNT_WANTS, LIST_WANTS, CLEAR_WANTS };

/* It may have come between the asking and the writing; what comes later is forgotten by catalog_keep. */
#define IS_HERE \
	"EXISTS (SELECT 1 FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = ?2" \
	" JOIN artifacts a ON a.version_id = v.id AND a.format = ?3 JOIN blobs b ON b.id = a.blob_id" \
	" WHERE m.handle = ?1 AND b.cached = 1)"

#define LEAST_WANTED " ORDER BY times DESC, last_at DESC LIMIT -1 OFFSET "

static const char *const sql[] = {
	[ADD_WANT] = "INSERT INTO wants (handle, version, format, asker, times, last_at)"
		     " SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT " IS_HERE " ON CONFLICT DO UPDATE SET"
		     " times = times + excluded.times, last_at = max(last_at, excluded.last_at)",
	[PRUNE_OF_ASKER] = "DELETE FROM wants WHERE (handle, version, format) IN"
			   " (SELECT handle, version, format FROM wants WHERE asker = ?1" LEAST_WANTED "?2)",
	[PRUNE_OF_ALL] = "DELETE FROM wants WHERE (handle, version, format) IN"
			 " (SELECT handle, version, format FROM wants" LEAST_WANTED "?1)",
	[COUNT_WANTS] = "SELECT count(*) FROM wants",
	[LIST_WANTS] = "SELECT handle, version, format, times, last_at FROM wants"
		       " WHERE (handle, version, format) > (?1, ?2, ?3)"
		       " ORDER BY handle, version, format LIMIT ?4",
	[CLEAR_WANTS] = "DELETE FROM wants",
};

static bool add(struct txn *txn, const struct want *want, struct err *err)
{
	return txn_run(txn, sql[ADD_WANT],
		VALUES(v_text(want->name.handle), v_int(want->name.version),
			v_text(formats[want->name.format].name), v_text(want->asker.hex), v_int(want->times),
			v_int(want->last_at)),
		err);
}

/* Once for each of those that have asked. */
static bool prune(struct txn *txn, const struct want *wants, size_t place, struct err *err)
{
	const struct digest *asker = &wants[place].asker;

	for (size_t i = 0; i < place; i++) {
		if (digest_equal(&wants[i].asker, asker))
			return true;
	}
	return txn_run(txn, sql[PRUNE_OF_ASKER], VALUES(v_text(asker->hex), v_int(WANTS_OF_A_CLIENT)), err);
}

bool catalog_add_wants(struct catalog *catalog, const struct want *wants, size_t count, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_write(catalog->db, &txn, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!add(txn, &wants[i], err))
			return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (!prune(txn, wants, i, err))
			return false;
	}
	return txn_run(txn, sql[PRUNE_OF_ALL], VALUES(v_int(WANTS_MAX)), err) && txn_commit(txn, err);
}

static void read_want(struct rows *rows, struct want *out)
{
	*out = (struct want){.times = rows_int(rows, 3), .last_at = rows_int(rows, 4)};
	(void)snprintf(out->name.handle, sizeof out->name.handle, "%s", rows_text(rows, 0));
	out->name.version = rows_int(rows, 1);
	(void)format_parse(rows_text(rows, 2), &out->name.format);
}

static bool count_wants(struct txn *txn, int64_t *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[COUNT_WANTS], NULL, 0);

	*out = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

bool catalog_list_wants(struct catalog *catalog, const struct name *after, size_t limit,
	struct want_list *out, struct err *err)
{
	AUTO_FREE struct want *items = mem_zero(limit + 1, sizeof *items);
	AUTO_TXN struct txn *txn = NULL;
	size_t count = 0;
	int64_t total;

	if (!db_read(catalog->db, &txn, err) || !count_wants(txn, &total, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_WANTS],
		VALUES(v_text(after ? after->handle : ""), v_int(after ? after->version : 0),
			v_text(after ? formats[after->format].name : ""), v_int((int64_t)limit + 1)));
	while (rows_next(rows))
		read_want(rows, &items[count++]);
	if (!rows_done(rows, err))
		return false;
	*out = (struct want_list){
		.count = count > limit ? limit : count, .total = total, .more = count > limit};
	out->items = TAKE(items);
	return true;
}

bool catalog_count_wants(struct catalog *catalog, int64_t *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_read(catalog->db, &txn, err) && count_wants(txn, out, err);
}

bool catalog_clear_wants(struct catalog *catalog, int64_t *out_count, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t count;

	if (!db_write_within(catalog->db, DB_MOMENT_MS, &txn, err) ||
		!txn_run(txn, sql[CLEAR_WANTS], NULL, 0, err))
		return false;
	count = txn_changes(txn);
	if (!txn_commit(txn, err))
		return false;
	*out_count = count;
	return true;
}
