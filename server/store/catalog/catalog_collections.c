/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_collections.h"

#include "common/buffer.h"
#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { LIST_COLLECTIONS, FIND_COLLECTION, LIST_TAGS, LIST_MODULES, FIND_PUBLISHER };

#define COLUMNS \
	"c.id, p.name, c.name, c.version, c.description, c.updated_at," \
	" (SELECT count(*) FROM collection_modules cm JOIN modules m ON m.handle = cm.handle" \
	"  WHERE cm.collection_id = c.id AND m.latest_id IS NOT NULL)"

static const char *const sql[] = {
	[LIST_COLLECTIONS] =
		"SELECT " COLUMNS " FROM collections c CROSS JOIN publishers p ON p.id = c.publisher_id"
		" WHERE ?1 IS NULL OR p.name = ?1 ORDER BY p.name, c.name",
	[FIND_COLLECTION] = "SELECT " COLUMNS ", c.markdown FROM collections c"
			    " JOIN publishers p ON p.id = c.publisher_id WHERE p.name = ?1 AND c.name = ?2",
	[LIST_TAGS] = "SELECT kind, value FROM collection_tags WHERE collection_id = ?1 ORDER BY kind, value",
	[LIST_MODULES] = "SELECT m.handle, d.description, v.version, m.latest_cached, cm.position FROM "
			 "collection_modules cm"
			 " JOIN modules m ON m.handle = cm.handle JOIN versions v ON v.id = m.latest_id"
			 " JOIN versions d ON d.id = coalesce(m.described_id, m.latest_id)"
			 " WHERE cm.collection_id = ?1 AND cm.position >= ?2 ORDER BY cm.position LIMIT ?3",
	[FIND_PUBLISHER] = "SELECT name, coalesce(display_name, name), icon_url, markdown, modules,"
			   " (SELECT count(*) FROM collections WHERE publisher_id = publishers.id)"
			   " FROM publishers WHERE name = ?1",
};

static void finish_summary(struct collection_summary *summary)
{
	free(summary->publisher);
	free(summary->name);
	free(summary->description);
	tags_finish(&summary->tags);
	*summary = (struct collection_summary){0};
}

static bool load_tags(struct txn *txn, int64_t id, struct tags *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_TAGS], VALUES(v_int(id)));
	size_t capacity = 0;

	while (rows_next(rows)) {
		MEM_GROW(out->items, out->count, capacity);
		out->items[out->count++] = (struct tag){rows_dup(rows, 0), rows_dup(rows, 1)};
	}
	return rows_done(rows, err);
}

static bool load_summary(struct txn *txn, struct rows *rows, struct collection_summary *out, struct err *err)
{
	*out = (struct collection_summary){.publisher = rows_dup(rows, 1),
		.name = rows_dup(rows, 2),
		.version = rows_int(rows, 3),
		.description = rows_dup(rows, 4),
		.updated_at = rows_int(rows, 5),
		.modules = rows_int(rows, 6)};
	return load_tags(txn, rows_int(rows, 0), &out->tags, err);
}

/* ---- the list ---- */

/* Collections are made by people, one by one: there are not so many that each could not be looked at. */
static bool has_words(const struct collection_summary *summary, const char *q)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_FREE char *words = mem_dup(q ? q : "");
	char *rest;

	buffer_printf(&text, "%s/%s\n%s", summary->publisher, summary->name, summary->description);
	for (size_t i = 0; i < summary->tags.count; i++)
		buffer_printf(&text, "\n%s", summary->tags.items[i].value);
	for (char *word = strtok_r(words, " \t\r\n", &rest); word; word = strtok_r(NULL, " \t\r\n", &rest)) {
		if (!strcasestr(buffer_string(&text), word))
			return false;
	}
	return true;
}

static bool is_behind(const struct collection_summary *summary, const char *after)
{
	AUTO_FREE char *path = mem_printf("%s/%s", summary->publisher, summary->name);
	const char *slash = after ? strchr(after, '/') : NULL;
	size_t length = slash ? (size_t)(slash - after) : 0;
	AUTO_FREE char *publisher = mem_dup_n(after ? after : "", length);
	int order = slash ? strcmp(summary->publisher, publisher) : 1;

	return order > 0 || (order == 0 && strcmp(summary->name, slash + 1) > 0);
}

static void take(struct collection_list *list, const struct collection_query *query, size_t *capacity,
	struct collection_summary *summary)
{
	list->total++;
	if (!is_behind(summary, query->after))
		return;
	list->more = list->count == query->limit;
	if (list->more)
		return;
	MEM_GROW(list->items, list->count, *capacity);
	list->items[list->count++] = *summary;
	*summary = (struct collection_summary){0};
}

bool catalog_list_collections(struct catalog *catalog, const struct collection_query *query,
	struct collection_list *out, struct err *err)
{
	AUTO(collection_list_finish) struct collection_list list = {0};
	AUTO_TXN struct txn *txn = NULL;
	size_t capacity = 0;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_COLLECTIONS], VALUES(v_text(query->publisher)));
	while (rows_next(rows)) {
		AUTO(finish_summary) struct collection_summary summary = {0};

		if (!load_summary(txn, rows, &summary, err))
			return false;
		if (has_words(&summary, query->q))
			take(&list, query, &capacity, &summary);
	}
	if (!rows_done(rows, err))
		return false;
	*out = list;
	list = (struct collection_list){0};
	return true;
}

void collection_list_finish(struct collection_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		finish_summary(&list->items[i]);
	free(list->items);
	*list = (struct collection_list){0};
}

/* ---- one collection ---- */

/* One more than wanted, which tells where the next page begins. */
static bool load_modules(struct txn *txn, int64_t id, const struct collection_part *part,
	struct collection_details *out, struct err *err)
{
	int64_t limit = part->limit < INT64_MAX ? (int64_t)part->limit + 1 : -1;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_MODULES], VALUES(v_int(id), v_int(part->from), v_int(limit)));
	size_t capacity = 0;

	while (rows_next(rows)) {
		if (out->module_count == part->limit) {
			out->next = rows_int(rows, 4);
			continue;
		}
		MEM_GROW(out->modules, out->module_count, capacity);
		out->modules[out->module_count++] = (struct collection_module){
			rows_dup(rows, 0), rows_dup(rows, 1), rows_int(rows, 2), rows_int(rows, 3) != 0};
	}
	return rows_done(rows, err);
}

bool catalog_find_collection(struct catalog *catalog, const char *publisher, const char *name,
	const struct collection_part *part, struct collection_details *out, bool *found, struct err *err)
{
	AUTO(collection_details_finish) struct collection_details details = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_COLLECTION], VALUES(v_text(publisher), v_text(name)));
	*found = rows_next(rows);
	if (!*found)
		return rows_done(rows, err);
	details.markdown = rows_dup(rows, 7);
	if (!load_summary(txn, rows, &details.summary, err) ||
		!load_modules(txn, rows_int(rows, 0), part, &details, err))
		return false;
	*out = details;
	details = (struct collection_details){0};
	return true;
}

void collection_details_finish(struct collection_details *details)
{
	for (size_t i = 0; i < details->module_count; i++) {
		free(details->modules[i].handle);
		free(details->modules[i].description);
	}
	free(details->modules);
	free(details->markdown);
	finish_summary(&details->summary);
	*details = (struct collection_details){0};
}

/* ---- publishers ---- */

bool catalog_find_publisher(struct catalog *catalog, const char *name, struct publisher_details *out,
	bool *found, struct err *err)
{
	AUTO(publisher_details_finish) struct publisher_details details = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_PUBLISHER], VALUES(v_text(name)));
	if (rows_next(rows))
		details = (struct publisher_details){rows_dup(rows, 0), rows_dup(rows, 1), rows_dup(rows, 2),
			rows_dup(rows, 3), rows_int(rows, 4), rows_int(rows, 5)};
	*found = details.modules > 0 || details.collections > 0 || details.markdown;
	if (!rows_done(rows, err))
		return false;
	if (*found) {
		*out = details;
		details = (struct publisher_details){0};
	}
	return true;
}

void publisher_details_finish(struct publisher_details *details)
{
	free(details->name);
	free(details->display_name);
	free(details->icon_url);
	free(details->markdown);
	*details = (struct publisher_details){0};
}
