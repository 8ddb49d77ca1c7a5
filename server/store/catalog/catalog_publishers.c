/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_publishers.h"

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"
#include "server/store/search/module_index.h"
#include "server/store/search/search.h"

enum statement { LIST_PUBLISHERS, COUNT_PUBLISHERS, FIND_PUBLISHER, LIST_DISPLAYED };

static const char *const sql[] = {
	[LIST_PUBLISHERS] = "SELECT name, coalesce(display_name, name), modules FROM publishers"
			    " WHERE modules > 0 AND name > ?1 ORDER BY name LIMIT ?2",
	[COUNT_PUBLISHERS] = "SELECT publishers FROM totals",
	[FIND_PUBLISHER] =
		"SELECT name, coalesce(display_name, name), modules FROM publishers WHERE name = ?1",
	[LIST_DISPLAYED] = "SELECT name, display_name FROM publishers"
			   " WHERE modules > 0 AND display_name IS NOT NULL AND display_name <> name",
};

static void add(struct publisher_list *list, size_t *capacity, struct rows *rows)
{
	MEM_GROW(list->items, list->count, *capacity);
	list->items[list->count++] =
		(struct publisher_row){rows_dup(rows, 0), rows_dup(rows, 1), rows_int(rows, 2)};
}

/* ---- all, by name: the database has that order ---- */

static bool count_publishers(struct txn *txn, int64_t *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[COUNT_PUBLISHERS], NULL, 0);

	*out = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

static bool list_all(struct txn *txn, const struct publisher_query *query, struct publisher_list *list,
	size_t *capacity, struct err *err)
{
	/* One more than asked for tells whether there is another page. */
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_PUBLISHERS],
		VALUES(v_text(query->after ? query->after : ""), v_int((int64_t)query->limit + 1)));

	while (rows_next(rows)) {
		list->more = list->count == query->limit;
		if (list->more)
			break;
		add(list, capacity, rows);
	}
	return rows_done(rows, err) && count_publishers(txn, &list->total, err);
}

/* ---- some, or in another order: the index in memory has them all ---- */

struct wanted {
	const char *q;
	char **displayed; /* names of those whose name to display matches, sorted */
	size_t count;
	size_t capacity;
};

static void finish_wanted(struct wanted *wanted)
{
	for (size_t i = 0; i < wanted->count; i++)
		free(wanted->displayed[i]);
	free(wanted->displayed);
}

static bool has_words(const char *text, const char *q)
{
	AUTO_FREE char *words = mem_dup(q ? q : "");
	char *rest;

	for (char *word = strtok_r(words, " \t\r\n", &rest); word; word = strtok_r(NULL, " \t\r\n", &rest)) {
		if (!strcasestr(text, word))
			return false;
	}
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool find_displayed(struct txn *txn, struct wanted *wanted, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_DISPLAYED], NULL, 0);

	while (rows_next(rows)) {
		AUTO_FREE char *text = mem_printf("%s\n%s", rows_text(rows, 0), rows_text(rows, 1));

		if (!has_words(text, wanted->q))
			continue;
		MEM_GROW(wanted->displayed, wanted->count, wanted->capacity);
		wanted->displayed[wanted->count++] = rows_dup(rows, 0);
	}
	if (wanted->count > 0)
		qsort(wanted->displayed, wanted->count, sizeof *wanted->displayed, compare_names);
	return rows_done(rows, err);
}

static bool is_wanted(const void *context, enum facet facet, const char *name)
{
	const struct wanted *wanted = context;

	(void)facet;
	return has_words(name, wanted->q) ||
	       (wanted->count > 0 && bsearch(&name, wanted->displayed, wanted->count,
					     sizeof *wanted->displayed, compare_names));
}

static int compare_by_name(const void *a, const void *b)
{
	return strcmp(((const struct facet_count *)a)->value, ((const struct facet_count *)b)->value);
}

/* The names on the page, and whether there is another. Under the search's lock, which guards them. */
static void take_names(struct search *search, const struct publisher_query *query,
	const struct wanted *wanted, struct publisher_list *list, char **names, size_t *count)
{
	const struct counting counting = {FACET_PUBLISHER, is_wanted, wanted};
	AUTO_SLOTS struct slots listed = module_index_listed(search->index);
	size_t max = module_index_values(search->index, FACET_PUBLISHER);
	AUTO_FREE struct facet_count *found = mem_zero(max + 1, sizeof *found);
	size_t total = module_index_count(search->index, &counting, &listed, found, max), at = 0;

	if (!query->by_modules)
		qsort(found, total, sizeof *found, compare_by_name);
	if (query->after && *query->after) {
		while (at < total && strcmp(found[at].value, query->after) != 0)
			at++;
		at++;
	}
	for (; at < total && *count < query->limit; at++)
		names[(*count)++] = mem_dup(found[at].value);
	list->total = (int64_t)total;
	list->more = at < total;
}

static bool load_named(
	struct txn *txn, const char *name, struct publisher_list *list, size_t *capacity, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_PUBLISHER], VALUES(v_text(name)));

	if (rows_next(rows))
		add(list, capacity, rows);
	return rows_done(rows, err);
}

static bool list_some(struct catalog *catalog, const struct publisher_query *query,
	struct publisher_list *list, struct err *err)
{
	AUTO(finish_wanted) struct wanted wanted = {.q = query->q};
	AUTO_FREE char **names = mem_zero(query->limit + 1, sizeof *names);
	size_t count = 0, capacity = 0;
	AUTO_TXN struct txn *txn = NULL;
	bool done;

	if (!search_begin(catalog->search, catalog->db, &txn, err))
		return false;
	done = !query->q || find_displayed(txn, &wanted, err);
	if (done)
		take_names(catalog->search, query, &wanted, list, names, &count);
	search_end(catalog->search);
	for (size_t i = 0; i < count; i++) {
		done = done && load_named(txn, names[i], list, &capacity, err);
		free(names[i]);
	}
	return done;
}

bool catalog_list_publishers(struct catalog *catalog, const struct publisher_query *query,
	struct publisher_list *out, struct err *err)
{
	AUTO(publisher_list_finish) struct publisher_list list = {0};
	AUTO_TXN struct txn *txn = NULL;
	size_t capacity = 0;

	if (query->q || query->by_modules) {
		if (!list_some(catalog, query, &list, err))
			return false;
	} else if (!db_read(catalog->db, &txn, err) || !list_all(txn, query, &list, &capacity, err)) {
		return false;
	}
	*out = list;
	list = (struct publisher_list){0};
	return true;
}

void publisher_list_finish(struct publisher_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].name);
		free(list->items[i].display_name);
	}
	free(list->items);
	*list = (struct publisher_list){0};
}
