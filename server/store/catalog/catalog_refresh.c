/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { REFRESH_LATEST, REFRESH_SUMMARY, LIST_MODULES };

static const char *const sql[] = {
	[REFRESH_LATEST] =
		"UPDATE modules SET"
		" latest_id = (SELECT id FROM versions WHERE module_id = ?1 AND state = 'active'"
		"  ORDER BY version DESC LIMIT 1),"
		" described_id = (SELECT id FROM versions WHERE module_id = ?1 AND documented = 2"
		"  AND state = 'active' ORDER BY version DESC LIMIT 1),"
		" documented_id = (SELECT id FROM versions WHERE module_id = ?1 AND documented > 0"
		"  AND state = 'active' ORDER BY version DESC LIMIT 1),"
		" updated_at = (SELECT max(updated_at) FROM versions WHERE module_id = ?1) WHERE id = ?1",
	[REFRESH_SUMMARY] =
		"UPDATE modules SET"
		" latest_source = (SELECT source FROM versions WHERE id = latest_id),"
		" latest_formats = (SELECT coalesce(',' || group_concat(format) || ',', '') FROM"
		"  (SELECT format FROM artifacts WHERE version_id = latest_id UNION"
		"   SELECT format FROM listed_formats WHERE version_id = latest_id)),"
		" (latest_cached, latest_size_bytes) ="
		" (SELECT coalesce(min(b.cached), 0), coalesce(sum(b.size_bytes), 0)"
		"  FROM artifacts a JOIN blobs b ON b.id = a.blob_id WHERE a.version_id = latest_id) WHERE "
		"id = ?1",
	[LIST_MODULES] = "SELECT m.id FROM artifacts a JOIN modules m ON m.latest_id = a.version_id"
			 " WHERE a.blob_id = ?1 AND a.format = ?2",
};

bool module_refresh(struct txn *txn, int64_t module_id, struct err *err)
{
	return txn_run(txn, sql[REFRESH_LATEST], VALUES(v_int(module_id)), err) &&
	       txn_run(txn, sql[REFRESH_SUMMARY], VALUES(v_int(module_id)), err) &&
	       module_refresh_texts(txn, module_id, err);
}

struct module_ids {
	int64_t *items;
	size_t count;
	size_t capacity;
};

static void module_ids_finish(struct module_ids *ids)
{
	free(ids->items);
}

static bool list_modules(
	struct txn *txn, int64_t blob_id, enum format format, struct module_ids *out, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_MODULES], VALUES(v_int(blob_id), v_text(formats[format].name)));

	while (rows_next(rows)) {
		MEM_GROW(out->items, out->count, out->capacity);
		out->items[out->count++] = rows_int(rows, 0);
	}
	return rows_done(rows, err);
}

bool modules_refresh_of(struct txn *txn, int64_t blob_id, enum format format, struct err *err)
{
	AUTO(module_ids_finish) struct module_ids ids = {0};

	if (!list_modules(txn, blob_id, format, &ids, err))
		return false;
	for (size_t i = 0; i < ids.count; i++) {
		if (!module_refresh(txn, ids.items[i], err))
			return false;
	}
	return true;
}
