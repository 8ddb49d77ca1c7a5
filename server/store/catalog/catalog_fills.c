/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_fills.h"

#include <stdio.h>

#include "server/store/catalog/catalog_rows.h"

enum statement { NOTE_FILL, FIND_FILL, LIST_FILLS, FORGET_FILL, FORGET_OLD_FILLS, FIND_DRAFT };

static const char *const sql[] = {
	[NOTE_FILL] = "INSERT OR REPLACE INTO fills (handle, version, format, draft, upstream, etag,"
		      " last_modified, total_bytes, durable_bytes, boot_id, updated_at)"
		      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[FIND_FILL] = "SELECT draft, upstream, etag, last_modified, boot_id, total_bytes, durable_bytes,"
		      " updated_at FROM fills WHERE handle = ?1 AND version = ?2 AND format = ?3",
	[LIST_FILLS] = "SELECT handle, version, format, draft FROM fills ORDER BY updated_at, id",
	[FORGET_FILL] = "DELETE FROM fills WHERE handle = ?1 AND version = ?2 AND format = ?3",
	[FORGET_OLD_FILLS] = "DELETE FROM fills WHERE updated_at < ?1",
	[FIND_DRAFT] = "SELECT 1 FROM fills WHERE draft = ?1",
};

static bool run(struct catalog *catalog, const char *statement, const struct value *values, size_t count,
	struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_write(catalog->db, &txn, err) && txn_run(txn, statement, values, count, err) &&
	       txn_commit(txn, err);
}

bool catalog_note_fill(struct catalog *catalog, const struct fill_row *row, struct err *err)
{
	return run(catalog, sql[NOTE_FILL],
		VALUES(v_text(row->name.handle), v_int(row->name.version),
			v_text(formats[row->name.format].name), v_text(row->draft), v_text(row->upstream),
			v_text(row->etag), v_text(row->last_modified), v_int(row->total_bytes),
			v_int(row->durable_bytes), v_text(row->boot_id), v_int(row->updated_at)),
		err);
}

static void read_row(struct rows *rows, struct fill_row *out)
{
	(void)snprintf(out->draft, sizeof out->draft, "%s", rows_text(rows, 0));
	(void)snprintf(out->upstream, sizeof out->upstream, "%s", rows_text(rows, 1));
	(void)snprintf(out->etag, sizeof out->etag, "%s", rows_text(rows, 2));
	(void)snprintf(out->last_modified, sizeof out->last_modified, "%s", rows_text(rows, 3));
	(void)snprintf(out->boot_id, sizeof out->boot_id, "%s", rows_text(rows, 4));
	out->total_bytes = rows_int(rows, 5);
	out->durable_bytes = rows_int(rows, 6);
	out->updated_at = rows_int(rows, 7);
}

bool catalog_find_fill(
	struct catalog *catalog, const struct name *name, struct fill_row *out, bool *found, struct err *err)
{
	struct fill_row row = {.name = *name};
	AUTO_TXN struct txn *txn = NULL;
	bool known;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_FILL],
		VALUES(v_text(name->handle), v_int(name->version), v_text(formats[name->format].name)));
	known = rows_next(rows);
	if (known)
		read_row(rows, &row);
	if (!rows_done(rows, err))
		return false;
	*out = row;
	*found = known;
	return true;
}

bool catalog_each_fill(struct catalog *catalog,
	void (*visit)(void *context, const struct name *name, const char *draft), void *context,
	struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_FILLS], NULL, 0);
	while (rows_next(rows)) {
		struct name name = {.version = rows_int(rows, 1)};

		(void)snprintf(name.handle, sizeof name.handle, "%s", rows_text(rows, 0));
		if (format_parse(rows_text(rows, 2), &name.format))
			visit(context, &name, rows_text(rows, 3));
	}
	return rows_done(rows, err);
}

bool catalog_forget_fill(struct catalog *catalog, const struct name *name, struct err *err)
{
	return run(catalog, sql[FORGET_FILL],
		VALUES(v_text(name->handle), v_int(name->version), v_text(formats[name->format].name)), err);
}

bool catalog_forget_old_fills(struct catalog *catalog, int64_t before_s, struct err *err)
{
	return run(catalog, sql[FORGET_OLD_FILLS], VALUES(v_int(before_s)), err);
}

bool catalog_claims_draft(struct catalog *catalog, const char *draft, bool *claimed, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	bool found;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_DRAFT], VALUES(v_text(draft)));
	found = rows_next(rows);
	if (!rows_done(rows, err))
		return false;
	*claimed = found;
	return true;
}
