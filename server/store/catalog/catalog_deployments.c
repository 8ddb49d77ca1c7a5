/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_deployments.h"

#include <stdlib.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { LIST, FIND_LATEST };

static const char *const sql[] = {
	[LIST] = "SELECT m.handle, v.version, coalesce((SELECT group_concat(format) FROM"
		 " (SELECT format FROM artifacts WHERE version_id = v.id"
		 "  UNION SELECT format FROM listed_formats WHERE version_id = v.id)), '')"
		 " FROM tags t JOIN versions v ON v.id = t.version_id AND v.state = 'active'"
		 " JOIN modules m ON m.id = v.module_id"
		 " WHERE t.kind = 'parent_model' AND t.value = ?1 ORDER BY t.version_id LIMIT ?2",
	[FIND_LATEST] = "SELECT m.handle, v.version, trim(m.latest_formats, ',') FROM modules m"
			" JOIN versions v ON v.id = m.latest_id WHERE m.id = ?1",
};

static bool append_rows(struct rows *rows, struct deployments *out, struct err *err)
{
	while (rows_next(rows)) {
		MEM_GROW(out->items, out->count, out->capacity);
		out->items[out->count++] =
			(struct deployment){rows_dup(rows, 0), rows_int(rows, 1), rows_dup(rows, 2)};
	}
	return rows_done(rows, err);
}

bool deployments_load(struct txn *txn, int64_t module_id, struct deployments *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_LATEST], VALUES(v_int(module_id)));

	return append_rows(rows, out, err);
}

bool catalog_list_deployments(struct catalog *catalog, const struct name *parent, size_t limit,
	struct deployments *out, struct err *err)
{
	AUTO(deployments_finish) struct deployments list = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST], VALUES(v_text(name_path(parent).text), v_int((int64_t)limit)));
	if (!append_rows(rows, &list, err))
		return false;
	*out = list;
	list = (struct deployments){0};
	return true;
}

void deployments_finish(struct deployments *deployments)
{
	for (size_t i = 0; i < deployments->count; i++) {
		free(deployments->items[i].handle);
		free(deployments->items[i].formats);
	}
	free(deployments->items);
	*deployments = (struct deployments){0};
}
