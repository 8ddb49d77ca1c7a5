/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_listing.h"

#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { FIND_MODULE, FIND_SUMMARY, LIST_ACTIVE_VERSIONS, READ_TOTALS };

static const char *const sql[] = {
	[FIND_MODULE] = "SELECT id FROM modules WHERE handle = ?1",
	[FIND_SUMMARY] = "SELECT d.id, m.handle, d.description, v.version, m.latest_formats, m.latest_source,"
			 " m.latest_cached, m.latest_size_bytes, m.downloads, m.updated_at, m.active_count"
			 " FROM modules m JOIN versions v ON v.id = m.latest_id"
			 " JOIN versions d ON d.id = coalesce(m.described_id, m.latest_id) WHERE m.id = ?1",
	[LIST_ACTIVE_VERSIONS] = "SELECT version FROM versions WHERE module_id = ?1 AND state = 'active'"
				 " ORDER BY version DESC LIMIT ?2",
	[READ_TOTALS] =
		"SELECT modules, versions, artifacts, cached, blobs, blob_bytes, downloads FROM totals",
};

/* ---- modules ---- */

static void read_formats(const char *text, bool out[FORMAT_COUNT])
{
	for (size_t i = 0; i < FORMAT_COUNT; i++) {
		AUTO_FREE char *word = mem_printf(",%s,", formats[i].name);

		out[i] = strstr(text, word) != NULL;
	}
}

static void reverse(int64_t *numbers, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		int64_t number = numbers[i];

		numbers[i] = numbers[count - 1 - i];
		numbers[count - 1 - i] = number;
	}
}

static bool load_versions(struct txn *txn, int64_t module_id, struct module_summary *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(
		txn, sql[LIST_ACTIVE_VERSIONS], VALUES(v_int(module_id), v_int(SUMMARY_VERSIONS_MAX)));
	size_t capacity = 0;

	while (rows_next(rows)) {
		MEM_GROW(out->versions, out->version_count, capacity);
		out->versions[out->version_count++] = rows_int(rows, 0);
	}
	reverse(out->versions, out->version_count);
	return rows_done(rows, err);
}

static void read_summary(struct rows *rows, struct module_summary *out)
{
	*out = (struct module_summary){.handle = rows_dup(rows, 1),
		.description = rows_dup(rows, 2),
		.latest_version = rows_int(rows, 3),
		.source = rows_source(rows, 5),
		.cached = rows_int(rows, 6) != 0,
		.size_bytes = rows_int(rows, 7),
		.downloads = rows_int(rows, 8),
		.updated_at = rows_int(rows, 9),
		.active_count = rows_int(rows, 10)};
	read_formats(rows_text(rows, 4), out->formats);
}

bool summary_load(
	struct txn *txn, int64_t module_id, struct module_summary *out, bool *found, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_SUMMARY], VALUES(v_int(module_id)));
	AUTO(module_summary_finish) struct module_summary summary = {0};

	*found = rows_next(rows);
	if (!*found)
		return rows_done(rows, err);
	read_summary(rows, &summary);
	if (!load_versions(txn, module_id, &summary, err) ||
		!tags_load(txn, rows_int(rows, 0), &summary.tags, err))
		return false;
	*out = summary;
	summary = (struct module_summary){0};
	return true;
}

void module_summary_finish(struct module_summary *summary)
{
	free(summary->handle);
	free(summary->description);
	free(summary->versions);
	tags_finish(&summary->tags);
	*summary = (struct module_summary){0};
}

bool catalog_find_module(
	struct catalog *catalog, const char *handle, struct module_summary *out, bool *found, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t id;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_MODULE], VALUES(v_text(handle)));
	id = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err) && summary_load(txn, id, out, found, err);
}

/* ---- all of it ---- */

bool catalog_count(struct catalog *catalog, struct catalog_totals *out, struct err *err)
{
	struct catalog_totals totals = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[READ_TOTALS], NULL, 0);
	if (rows_next(rows)) {
		totals.modules = rows_int(rows, 0);
		totals.versions = rows_int(rows, 1);
		totals.artifacts = rows_int(rows, 2);
		totals.cached_artifacts = rows_int(rows, 3);
		totals.blobs = rows_int(rows, 4);
		totals.blob_bytes = rows_int(rows, 5);
		totals.downloads = rows_int(rows, 6);
	}
	if (!rows_done(rows, err))
		return false;
	*out = totals;
	return true;
}
