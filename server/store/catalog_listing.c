/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog_rows.h"

#include <ctype.h>

#include "common/buffer.h"
#include "common/mem.h"

enum { WORDS_MAX = 16, FILTER_VALUES = 5 + WORDS_MAX };

/* Handles are ASCII, so LIKE's idea of case is exact. A word that is not asked for is NULL, which costs
 * nothing. All columns are in the index modules_listed. */
#define WORD(n) " AND (" n " IS NULL OR m.handle LIKE " n " ESCAPE '\\')"
#define FILTER \
	" m.latest_id IS NOT NULL AND m.handle > ?1 AND m.handle < ?2" \
	" AND (?3 IS NULL OR m.latest_source = ?3) AND (?4 IS NULL OR instr(m.latest_formats, ?4))" \
	" AND (?5 IS NULL OR m.latest_cached = ?5)" WORD("?6") WORD("?7") WORD("?8") WORD("?9") WORD("?10") \
		WORD("?11") WORD("?12") WORD("?13") WORD("?14") WORD("?15") WORD("?16") WORD("?17") \
			WORD("?18") WORD("?19") WORD("?20") WORD("?21")

enum statement { LIST_MODULES, COUNT_MODULES, COUNT_ALL, LIST_ACTIVE_VERSIONS, LIST_PUBLISHERS };

static const char *const sql[] = {
	[LIST_MODULES] = "SELECT m.id, m.handle, v.description, v.version, m.latest_formats, m.latest_source,"
			 " m.latest_cached, m.latest_size_bytes, m.downloads, m.updated_at"
			 " FROM modules m JOIN versions v ON v.id = m.latest_id"
			 " WHERE" FILTER " ORDER BY m.handle LIMIT ?22",
	[COUNT_MODULES] = "SELECT count(*) FROM modules m WHERE" FILTER,
	[COUNT_ALL] = "SELECT coalesce(sum(modules), 0) FROM publishers WHERE ?1 IS NULL OR name = ?1",
	[LIST_ACTIVE_VERSIONS] = "SELECT version FROM versions WHERE module_id = ?1 AND state = 'active'"
				 " ORDER BY version",
	[LIST_PUBLISHERS] = "SELECT name, coalesce(display_name, name), modules FROM publishers"
			    " WHERE modules > 0 ORDER BY name",
};

/* ---- the filter ------------------------------------------------------------------------------ */

struct filter {
	struct value values[FILTER_VALUES + 1];
	char *words[WORDS_MAX]; /* LIKE patterns */
	size_t word_count;
	char *first; /* handles lie between these two */
	char *last;
	char *format;
};

static void filter_finish(struct filter *filter)
{
	for (size_t i = 0; i < filter->word_count; i++)
		free(filter->words[i]);
	free(filter->first);
	free(filter->last);
	free(filter->format);
}

static char *like_pattern(const char *word, size_t length)
{
	AUTO_BUFFER struct buffer pattern = {0};

	buffer_add_string(&pattern, "%");
	for (size_t i = 0; i < length; i++) {
		if (strchr("%_\\", word[i]))
			buffer_add_string(&pattern, "\\");
		buffer_add(&pattern, &word[i], 1);
	}
	buffer_add_string(&pattern, "%");
	return buffer_take(&pattern);
}

static bool split_words(const char *q, struct filter *filter, struct err *err)
{
	static const char blanks[] = " \t\r\n";

	for (q += strspn(q, blanks); *q; q += strspn(q, blanks)) {
		size_t length = strcspn(q, blanks);

		if (filter->word_count == WORDS_MAX)
			return err_set(err, ERR_BAD_REQUEST, "a search takes at most %d words", WORDS_MAX);
		if (length > NAME_PATH_MAX)
			return err_set(
				err, ERR_BAD_REQUEST, "a search word has at most %d bytes", NAME_PATH_MAX);
		filter->words[filter->word_count++] = like_pattern(q, length);
		q += length;
	}
	return true;
}

/* The range of the publisher's handles: '0' follows '/', and 0x7f follows every byte of a handle. */
static void set_range(const char *publisher, struct filter *filter)
{
	filter->first = publisher ? mem_printf("%s/", publisher) : mem_dup("");
	filter->last = publisher ? mem_printf("%s0", publisher) : mem_dup("\x7f");
}

static bool filter_init(const struct module_query *query, struct filter *filter, struct err *err)
{
	if (query->q && !split_words(query->q, filter, err))
		return false;
	set_range(query->publisher, filter);
	filter->values[0] = v_text(filter->first);
	filter->values[1] = v_text(filter->last);
	if (query->has_source)
		filter->values[2] = v_text(version_source_name(query->source));
	if (query->has_format) {
		filter->format = mem_printf(",%s,", formats[query->format].name);
		filter->values[3] = v_text(filter->format);
	}
	if (query->has_cached)
		filter->values[4] = v_int(query->cached);
	for (size_t i = 0; i < filter->word_count; i++)
		filter->values[5 + i] = v_text(filter->words[i]);
	return true;
}

/* ---- modules --------------------------------------------------------------------------------- */

static void read_formats(const char *text, bool out[FORMAT_COUNT])
{
	for (size_t i = 0; i < FORMAT_COUNT; i++) {
		AUTO_FREE char *word = mem_printf(",%s,", formats[i].name);

		out[i] = strstr(text, word) != NULL;
	}
}

static bool load_versions(struct txn *txn, int64_t module_id, struct module_summary *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_ACTIVE_VERSIONS], VALUES(v_int(module_id)));
	size_t capacity = 0;

	while (rows_next(rows)) {
		MEM_GROW(out->versions, out->version_count, capacity);
		out->versions[out->version_count++] = rows_int(rows, 0);
	}
	return rows_done(rows, err);
}

static bool load_summary(struct txn *txn, struct rows *rows, struct module_summary *out, struct err *err)
{
	*out = (struct module_summary){.handle = rows_dup(rows, 1),
		.description = rows_dup(rows, 2),
		.latest_version = rows_int(rows, 3),
		.source = rows_source(rows, 5),
		.cached = rows_int(rows, 6) != 0,
		.size_bytes = rows_int(rows, 7),
		.downloads = rows_int(rows, 8),
		.updated_at = rows_int(rows, 9)};
	read_formats(rows_text(rows, 4), out->formats);
	return load_versions(txn, rows_int(rows, 0), out, err);
}

static bool load_page(struct txn *txn, const struct module_query *query, struct filter *filter,
	struct module_list *out, struct err *err)
{
	const struct value first = filter->values[0];
	size_t capacity = 0;

	if (query->after && strcmp(query->after, filter->first) > 0)
		filter->values[0] = v_text(query->after);
	/* One more than asked for tells whether there is another page. */
	filter->values[FILTER_VALUES] = v_int((int64_t)query->limit + 1);
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_MODULES], filter->values, FILTER_VALUES + 1);
	while (rows_next(rows)) {
		if (out->count == query->limit) {
			out->more = true;
			break;
		}
		MEM_GROW(out->items, out->count, capacity);
		if (!load_summary(txn, rows, &out->items[out->count++], err))
			return false;
	}
	filter->values[0] = first;
	return rows_done(rows, err);
}

static bool count_matches(struct txn *txn, const struct module_query *query, const struct filter *filter,
	int64_t *out, struct err *err)
{
	bool is_plain =
		filter->word_count == 0 && !query->has_source && !query->has_format && !query->has_cached;
	AUTO_ROWS struct rows *rows =
		is_plain ? txn_query(txn, sql[COUNT_ALL], VALUES(v_text(query->publisher)))
			 : txn_query(txn, sql[COUNT_MODULES], filter->values, FILTER_VALUES);

	*out = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

bool catalog_list_modules(
	struct catalog *catalog, const struct module_query *query, struct module_list *out, struct err *err)
{
	AUTO(module_list_finish) struct module_list list = {0};
	AUTO(filter_finish) struct filter filter = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!filter_init(query, &filter, err) || !db_read(catalog->db, &txn, err) ||
		!load_page(txn, query, &filter, &list, err) ||
		!count_matches(txn, query, &filter, &list.total, err))
		return false;
	*out = list;
	list = (struct module_list){0};
	return true;
}

void module_list_finish(struct module_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].handle);
		free(list->items[i].description);
		free(list->items[i].versions);
	}
	free(list->items);
	*list = (struct module_list){0};
}

/* ---- publishers ------------------------------------------------------------------------------ */

struct publisher_list {
	struct publisher_row *items;
	size_t count;
	size_t capacity;
};

static void publisher_list_finish(struct publisher_list *list)
{
	publisher_rows_destroy(list->items, list->count);
}

bool catalog_list_publishers(
	struct catalog *catalog, struct publisher_row **out, size_t *count, struct err *err)
{
	AUTO(publisher_list_finish) struct publisher_list list = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_PUBLISHERS], NULL, 0);
	while (rows_next(rows)) {
		MEM_GROW(list.items, list.count, list.capacity);
		list.items[list.count++] =
			(struct publisher_row){rows_dup(rows, 0), rows_dup(rows, 1), rows_int(rows, 2)};
	}
	if (!rows_done(rows, err))
		return false;
	*count = list.count;
	list.count = 0;
	*out = TAKE(list.items);
	return true;
}

void publisher_rows_destroy(struct publisher_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(rows[i].name);
		free(rows[i].display_name);
	}
	free(rows);
}
