/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_collections.h"

#include "common/buffer.h"
#include "common/mem.h"
#include "server/store/catalog/catalog_families.h"
#include "server/store/catalog/catalog_rows.h"
#include "server/store/search/families.h"
#include "server/store/search/search.h"

enum statement { LIST_COLLECTIONS, FIND_COLLECTION, LIST_TAGS, LIST_MEMBERS, FIND_PUBLISHER };

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
	[LIST_MEMBERS] =
		"SELECT m.id, cm.position FROM collection_modules cm JOIN modules m ON m.handle = cm.handle"
		" WHERE cm.collection_id = ?1 AND cm.position >= ?2 AND m.latest_id IS NOT NULL"
		" ORDER BY cm.position LIMIT ?3",
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

/* A module that is known, and what its row tells of others. */
struct member {
	int64_t id;
	int64_t position;
	struct family family;
};

struct members {
	struct member *items;
	size_t count;
	size_t capacity;
};

static void finish_members(struct members *members)
{
	free(members->items);
	*members = (struct members){0};
}

/* At most so many, from a position on; limit -1: all. */
static bool list_members(
	struct txn *txn, int64_t id, int64_t from, int64_t limit, struct members *out, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_MEMBERS], VALUES(v_int(id), v_int(from), v_int(limit)));

	while (rows_next(rows)) {
		MEM_GROW(out->items, out->count, out->capacity);
		out->items[out->count++] =
			(struct member){.id = rows_int(rows, 0), .position = rows_int(rows, 1)};
	}
	return rows_done(rows, err);
}

/* The members that go without a row. */
static struct slots find_folded(const struct module_index *index, const struct members *members)
{
	AUTO_SLOTS struct slots set = slots_init(module_index_slots(index));
	size_t slot;

	for (size_t i = 0; i < members->count; i++) {
		if (module_index_find(index, members->items[i].id, &slot))
			slots_add(&set, slot);
	}
	return families_fold(index, &set, NULL, 0);
}

/* Leaves of all members those that have a row in this part, and one more. What the index does not know yet is
 * nobody's deployment. */
static void fold_members(
	const struct module_index *index, const struct collection_part *part, struct members *members)
{
	AUTO_SLOTS struct slots folded = find_folded(index, members);
	size_t kept = 0, slot;

	for (size_t i = 0; i < members->count && kept <= part->limit; i++) {
		struct member member = members->items[i];
		bool is_known = module_index_find(index, member.id, &slot);

		if (member.position < part->from || (is_known && slots_have(&folded, slot)))
			continue;
		if (is_known)
			member.family = family_find(index, slot);
		members->items[kept++] = member;
	}
	members->count = kept;
}

/* One more than wanted, which tells where the next page begins. */
static bool find_members(struct catalog *catalog, struct txn *txn, int64_t id,
	const struct collection_part *part, struct members *out, struct err *err)
{
	int64_t limit = part->limit < INT64_MAX ? (int64_t)part->limit + 1 : -1;

	if (!part->fold)
		return list_members(txn, id, part->from, limit, out, err);
	if (!list_members(txn, id, 0, -1, out, err))
		return false;
	fold_members(catalog->search->index, part, out);
	return true;
}

static bool load_modules(struct txn *txn, const struct members *members, const struct collection_part *part,
	struct collection_details *out, struct err *err)
{
	size_t wanted = members->count < part->limit ? members->count : part->limit;

	out->modules = mem_zero(wanted + 1, sizeof *out->modules);
	out->deployments = mem_zero(wanted + 1, sizeof *out->deployments);
	for (size_t i = 0; i < wanted; i++) {
		const struct member *member = &members->items[i];
		bool found;

		if (!summary_load(txn, member->id, &out->modules[out->module_count], &found, err))
			return false;
		out->module_count += found;
		if (found &&
			!family_load(txn, &member->family, &out->deployments[out->module_count - 1], err))
			return false;
	}
	out->next = members->count > wanted ? members->items[wanted].position : 0;
	return true;
}

/* The collection itself, and which of its modules are wanted. */
static bool look_up(struct catalog *catalog, struct txn *txn, struct rows *rows,
	const struct collection_part *part, struct collection_details *out, struct members *members,
	struct err *err)
{
	out->markdown = rows_dup(rows, 7);
	return load_summary(txn, rows, &out->summary, err) &&
	       find_members(catalog, txn, rows_int(rows, 0), part, members, err);
}

static bool find_collection(struct catalog *catalog, struct txn *txn, const char *publisher, const char *name,
	const struct collection_part *part, struct collection_details *out, struct members *members,
	bool *found, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_COLLECTION], VALUES(v_text(publisher), v_text(name)));

	*found = rows_next(rows);
	return *found ? look_up(catalog, txn, rows, part, out, members, err) : rows_done(rows, err);
}

bool catalog_find_collection(struct catalog *catalog, const char *publisher, const char *name,
	const struct collection_part *part, struct collection_details *out, bool *found, struct err *err)
{
	AUTO(collection_details_finish) struct collection_details details = {0};
	AUTO(finish_members) struct members members = {0};
	AUTO_TXN struct txn *txn = NULL;
	bool done;

	if (!(part->fold ? search_begin(catalog->search, catalog->db, &txn, err)
			 : db_read(catalog->db, &txn, err)))
		return false;
	done = find_collection(catalog, txn, publisher, name, part, &details, &members, found, err);
	if (part->fold)
		search_end(catalog->search);
	if (!done || (*found && !load_modules(txn, &members, part, &details, err)))
		return false;
	*out = details;
	details = (struct collection_details){0};
	return true;
}

void collection_details_finish(struct collection_details *details)
{
	for (size_t i = 0; i < details->module_count; i++) {
		module_summary_finish(&details->modules[i]);
		deployments_finish(&details->deployments[i]);
	}
	free(details->modules);
	free(details->deployments);
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
