/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_export.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"

enum statement {
	LIST_OF_MODULE,
	LIST_OF_OTHERS,
	FIND_WORDS,
	LIST_FORMATS,
	NEXT_PUBLISHER,
	NEXT_OF_PUBLISHER,
	NEXT_COLLECTION
};

#define EXPORT_OF_VERSION \
	"SELECT m.handle, v.version, v.state, max(v.updated_at," \
	" coalesce((SELECT max(a.created_at) FROM artifacts a WHERE a.version_id = v.id), 0)," \
	" coalesce((SELECT max(t.created_at) FROM attestations t WHERE t.handle = m.handle" \
	" AND t.version = v.version), 0)," \
	" coalesce((SELECT d.updated_at FROM documentation d WHERE d.version_id = v.id), 0))" \
	" FROM modules m JOIN versions v ON v.module_id = m.id"

#define COLLECTION \
	"SELECT p.name || '/' || c.name, c.markdown FROM publishers p" \
	" JOIN collections c ON c.publisher_id = p.id"

static const char *const sql[] = {
	[LIST_OF_MODULE] =
		EXPORT_OF_VERSION " WHERE m.handle = ?1 AND v.version > ?2 ORDER BY v.version LIMIT ?3",
	[LIST_OF_OTHERS] = EXPORT_OF_VERSION " WHERE m.handle > ?1 ORDER BY m.handle, v.version LIMIT ?2",
	[FIND_WORDS] = "SELECT v.updated_at, d.markdown, d.updated_by, d.updated_at"
		       " FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = ?2"
		       " LEFT JOIN documentation d ON d.version_id = v.id WHERE m.handle = ?1",
	[LIST_FORMATS] = "SELECT f.format FROM modules m"
			 " JOIN versions v ON v.module_id = m.id AND v.version = ?2"
			 " JOIN listed_formats f ON f.version_id = v.id WHERE m.handle = ?1",
	[NEXT_PUBLISHER] = "SELECT name, markdown FROM publishers WHERE name > ?1 AND markdown IS NOT NULL"
			   " ORDER BY name LIMIT 1",
	[NEXT_OF_PUBLISHER] = COLLECTION " WHERE p.name = ?1 AND c.name > ?2 ORDER BY c.name LIMIT 1",
	/* Slashes sort behind dashes, so that it is no publisher's name that counts. */
	[NEXT_COLLECTION] = COLLECTION " WHERE p.name || '/' > ?1"
				       " ORDER BY p.name || '/', c.name LIMIT 1",
};

/* ---- versions ---- */

void export_rows_finish(struct export_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->items[i].handle);
	free(rows->items);
	*rows = (struct export_rows){0};
}

static bool take_rows(struct rows *rows, size_t limit, struct export_rows *out, struct err *err)
{
	while (out->count < limit && rows_next(rows))
		out->items[out->count++] = (struct export_row){
			rows_dup(rows, 0), rows_int(rows, 1), rows_state(rows, 2), rows_int(rows, 3)};
	return rows_done(rows, err);
}

/* Both are short, however many versions the module has. */
static bool list_exports(struct txn *txn, const char *after_handle, int64_t after_version, size_t limit,
	struct export_rows *out, struct err *err)
{
	AUTO_ROWS struct rows *of_module = txn_query(txn, sql[LIST_OF_MODULE],
		VALUES(v_text(after_handle), v_int(after_version), v_int((int64_t)limit)));
	AUTO_ROWS struct rows *of_others = NULL;

	if (!take_rows(of_module, limit, out, err))
		return false;
	if (out->count == limit)
		return true;
	of_others = txn_query(
		txn, sql[LIST_OF_OTHERS], VALUES(v_text(after_handle), v_int((int64_t)(limit - out->count))));
	return take_rows(of_others, limit, out, err);
}

bool catalog_list_exports(struct catalog *catalog, const char *after_handle, int64_t after_version,
	size_t limit, struct export_rows *out, struct err *err)
{
	AUTO(export_rows_finish) struct export_rows list = {.items = mem_zero(limit, sizeof *list.items)};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err) ||
		!list_exports(txn, after_handle, after_version, limit, &list, err))
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

/* A page with its name; NULL without one. */
struct export_page_row {
	char *name;
	char *markdown;
};

static void finish_page(struct export_page_row *page)
{
	free(page->name);
	free(page->markdown);
}

static bool take_page(struct rows *rows, struct export_page_row *out, struct err *err)
{
	if (rows_next(rows))
		*out = (struct export_page_row){rows_dup(rows, 0), rows_dup(rows, 1)};
	return rows_done(rows, err);
}

static bool next_publisher(struct txn *txn, const char *after, struct export_page_row *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[NEXT_PUBLISHER], VALUES(v_text(after)));

	return take_page(rows, out, err);
}

/* First those of the same publisher, then the next who has any. */
static bool next_collection(struct txn *txn, const char *after, struct export_page_row *out, struct err *err)
{
	size_t length = strcspn(after, "/");
	size_t path_length = after[length] ? length + 1 : length;
	AUTO_FREE char *publisher = mem_dup_n(after, length);
	AUTO_FREE char *path = mem_dup_n(after, path_length);
	AUTO_ROWS struct rows *rows = txn_query(
		txn, sql[NEXT_OF_PUBLISHER], VALUES(v_text(publisher), v_text(after + path_length)));
	AUTO_ROWS struct rows *others = NULL;

	if (!take_page(rows, out, err))
		return false;
	if (out->name)
		return true;
	others = txn_query(txn, sql[NEXT_COLLECTION], VALUES(v_text(path)));
	return take_page(others, out, err);
}

bool catalog_next_export_page(struct catalog *catalog, enum export_page kind, const char *after,
	char **out_name, char **out_markdown, struct err *err)
{
	AUTO(finish_page) struct export_page_row page = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err) ||
		!(kind == EXPORT_PUBLISHERS ? next_publisher : next_collection)(txn, after, &page, err))
		return false;
	*out_name = TAKE(page.name);
	*out_markdown = TAKE(page.markdown);
	return true;
}
