/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_newest.h"

#include <string.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"
#include "server/store/search/module_index.h"
#include "server/store/search/search.h"

enum statement { FIND_MODULE, LIST_VERSIONS };

static const char *const sql[] = {
	[FIND_MODULE] = "SELECT id FROM modules WHERE handle = ?1",
	[LIST_VERSIONS] = "SELECT m.handle, v.version, v.source, v.published_by, v.description, v.created_at,"
			  " v.updated_at FROM versions v CROSS JOIN modules m ON m.id = v.module_id"
			  " WHERE v.module_id = ?1 AND v.state = 'active' AND (?3 OR v.source <> 'listed')"
			  " ORDER BY v.updated_at DESC LIMIT ?2",
};

struct changed {
	int64_t *ids; /* of modules */
	size_t count;
};

static void finish_changed(struct changed *changed)
{
	free(changed->ids);
}

static struct slots find_all(const struct module_index *index, const char *publisher)
{
	struct slots set = module_index_listed(index);

	if (*publisher) {
		AUTO_SLOTS struct slots own = slots_init(module_index_slots(index));

		module_index_match(index, FACET_PUBLISHER, publisher, &own);
		slots_intersect(&set, &own);
	}
	return set;
}

/* A version changes its module too: those that changed last have the last versions. Those of which the latest
 * version is listed only come by themselves, so that an import of very many leaves room for the others. */
static void walk_index(
	const struct module_index *index, const char *publisher, size_t limit, struct changed *out)
{
	AUTO_SLOTS struct slots some = find_all(index, publisher);
	AUTO_FREE size_t *slots = mem_zero(2 * limit, sizeof *slots);

	for (int is_listed = 0; is_listed < 2; is_listed++) {
		AUTO_SLOTS struct slots set = slots_copy(&some);
		AUTO_SLOTS struct slots listed = slots_init(module_index_slots(index));

		module_index_match(index, FACET_SOURCE, "listed", &listed);
		for (size_t i = 0; i < slots_words(set.count); i++)
			set.words[i] &= is_listed ? listed.words[i] : ~listed.words[i];
		out->count += module_index_walk(index, SORT_UPDATED, &set, NULL, slots + out->count, limit);
	}
	for (size_t i = 0; i < out->count; i++)
		out->ids[i] = module_index_id(index, slots[i]);
}

static bool find_module(struct txn *txn, const char *handle, struct changed *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_MODULE], VALUES(v_text(handle)));

	out->count = rows_next(rows);
	if (out->count > 0)
		out->ids[0] = rows_int(rows, 0);
	return rows_done(rows, err);
}

static bool add_versions(struct txn *txn, int64_t module_id, size_t limit, bool with_listed,
	struct newest_list *list, size_t *capacity, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(
		txn, sql[LIST_VERSIONS], VALUES(v_int(module_id), v_int((int64_t)limit), v_int(with_listed)));

	while (rows_next(rows)) {
		MEM_GROW(list->items, list->count, *capacity);
		list->items[list->count++] =
			(struct newest_row){rows_dup(rows, 0), rows_int(rows, 1), rows_source(rows, 2),
				rows_dup(rows, 3), rows_dup(rows, 4), rows_int(rows, 5), rows_int(rows, 6)};
	}
	return rows_done(rows, err);
}

static int compare(const void *a, const void *b)
{
	const struct newest_row *x = a, *y = b;
	int order;

	if (x->updated_at != y->updated_at)
		return x->updated_at > y->updated_at ? -1 : 1;
	order = strcmp(x->handle, y->handle);
	return order ? order : (x->version < y->version) - (x->version > y->version);
}

static void finish_row(struct newest_row *row)
{
	free(row->handle);
	free(row->published_by);
	free(row->description);
}

static void keep_newest(struct newest_list *list, size_t limit)
{
	if (list->count > 0)
		qsort(list->items, list->count, sizeof *list->items, compare);
	while (list->count > limit)
		finish_row(&list->items[--list->count]);
}

bool catalog_list_newest(
	struct catalog *catalog, const char *of, size_t limit, struct newest_list *out, struct err *err)
{
	AUTO(newest_list_finish) struct newest_list list = {0};
	AUTO(finish_changed) struct changed changed = {.ids = mem_zero(2 * limit + 1, sizeof(int64_t))};
	bool is_module = strchr(of, '/') != NULL;
	AUTO_TXN struct txn *txn = NULL;
	size_t capacity = 0;

	if (!search_begin(catalog->search, catalog->db, &txn, err))
		return false;
	if (!is_module)
		walk_index(catalog->search->index, of, limit, &changed);
	search_end(catalog->search);
	if (is_module && !find_module(txn, of, &changed, err))
		return false;
	for (size_t i = 0; i < changed.count; i++) {
		if (!add_versions(txn, changed.ids[i], limit, is_module, &list, &capacity, err))
			return false;
	}
	keep_newest(&list, limit);
	*out = list;
	list = (struct newest_list){0};
	return true;
}

void newest_list_finish(struct newest_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		finish_row(&list->items[i]);
	free(list->items);
	*list = (struct newest_list){0};
}
