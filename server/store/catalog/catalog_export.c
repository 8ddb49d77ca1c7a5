/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_export.h"

#include <stdlib.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { LIST_EXPORTS, FIND_WORDS, LIST_FORMATS, NEXT_PUBLISHER, NEXT_COLLECTION };

static const char *const sql[] = {
	[LIST_EXPORTS] =
		"SELECT m.handle, v.version, v.state, max(v.updated_at,"
		" coalesce((SELECT max(a.created_at) FROM artifacts a WHERE a.version_id = v.id), 0),"
		" coalesce((SELECT d.updated_at FROM documentation d WHERE d.version_id = v.id), 0))"
		" FROM modules m JOIN versions v ON v.module_id = m.id"
		" WHERE m.handle >= ?1 AND (m.handle > ?1 OR v.version > ?2)"
		" ORDER BY m.handle, v.version LIMIT ?3",
	[FIND_WORDS] = "SELECT v.updated_at, d.markdown, d.updated_by, d.updated_at"
		       " FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = ?2"
		       " LEFT JOIN documentation d ON d.version_id = v.id WHERE m.handle = ?1",
	[LIST_FORMATS] = "SELECT f.format FROM modules m"
			 " JOIN versions v ON v.module_id = m.id AND v.version = ?2"
			 " JOIN listed_formats f ON f.version_id = v.id WHERE m.handle = ?1",
	[NEXT_PUBLISHER] = "SELECT name, markdown FROM publishers WHERE name > ?1 AND markdown IS NOT NULL"
			   " ORDER BY name LIMIT 1",
	/* Slashes sort behind dashes, so that a publisher's collections need not stand together. */
	[NEXT_COLLECTION] = "SELECT p.name || '/' || c.name, c.markdown FROM publishers p"
			    " JOIN collections c ON c.publisher_id = p.id WHERE p.name || '/' || c.name > ?1"
			    " ORDER BY 1 LIMIT 1",
};

/* ---- versions ---- */

void export_rows_finish(struct export_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->items[i].handle);
	free(rows->items);
	*rows = (struct export_rows){0};
}

bool catalog_list_exports(struct catalog *catalog, const char *after_handle, int64_t after_version,
	size_t limit, struct export_rows *out, struct err *err)
{
	AUTO(export_rows_finish) struct export_rows list = {.items = mem_zero(limit, sizeof *list.items)};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_EXPORTS],
		VALUES(v_text(after_handle), v_int(after_version), v_int((int64_t)limit)));
	while (list.count < limit && rows_next(rows))
		list.items[list.count++] = (struct export_row){
			rows_dup(rows, 0), rows_int(rows, 1), rows_state(rows, 2), rows_int(rows, 3)};
	if (!rows_done(rows, err))
		return false;
	*out = list;
	list = (struct export_rows){0};
	return true;
}

/* ---- words ---- */

void export_words_finish(struct export_words *words)
{
	free(words->markdown);
	free(words->documented_by);
	*words = (struct export_words){0};
}

static bool load_words(
	struct txn *txn, const struct name *name, struct export_words *out, bool *found, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_WORDS], VALUES(v_text(name->handle), v_int(name->version)));

	*found = rows_next(rows);
	if (*found)
		*out = (struct export_words){.updated_at = rows_int(rows, 0),
			.markdown = rows_dup(rows, 1),
			.documented_by = rows_dup(rows, 2),
			.documented_at = rows_int(rows, 3)};
	return rows_done(rows, err);
}

static bool load_formats(struct txn *txn, const struct name *name, struct export_words *out, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_FORMATS], VALUES(v_text(name->handle), v_int(name->version)));

	while (rows_next(rows)) {
		enum format format;

		if (format_parse(rows_text(rows, 0), &format))
			out->listed[format] = true;
	}
	return rows_done(rows, err);
}

bool catalog_find_export_words(struct catalog *catalog, const struct name *name, struct export_words *out,
	bool *found, struct err *err)
{
	AUTO(export_words_finish) struct export_words words = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err) || !load_words(txn, name, &words, found, err) ||
		!load_formats(txn, name, &words, err))
		return false;
	if (!*found)
		return true;
	*out = words;
	words = (struct export_words){0};
	return true;
}

/* ---- pages ---- */

bool catalog_next_export_page(struct catalog *catalog, enum export_page kind, const char *after,
	char **out_name, char **out_markdown, struct err *err)
{
	AUTO_FREE char *name = NULL;
	AUTO_FREE char *markdown = NULL;
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn,
		sql[kind == EXPORT_PUBLISHERS ? NEXT_PUBLISHER : NEXT_COLLECTION], VALUES(v_text(after)));
	if (rows_next(rows)) {
		name = rows_dup(rows, 0);
		markdown = rows_dup(rows, 1);
	}
	if (!rows_done(rows, err))
		return false;
	*out_name = TAKE(name);
	*out_markdown = TAKE(markdown);
	return true;
}
