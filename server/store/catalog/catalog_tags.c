/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_tags.h"

#include <stdlib.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { LIST_TAGS };

static const char *const sql[] = {
	[LIST_TAGS] = "SELECT kind, value FROM tags WHERE version_id = ?1 ORDER BY kind, value",
};

bool tags_load(struct txn *txn, int64_t version_id, struct tags *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_TAGS], VALUES(v_int(version_id)));
	size_t capacity = 0;

	while (rows_next(rows)) {
		MEM_GROW(out->items, out->count, capacity);
		out->items[out->count++] = (struct tag){rows_dup(rows, 0), rows_dup(rows, 1)};
	}
	return rows_done(rows, err);
}

void tags_finish(struct tags *tags)
{
	for (size_t i = 0; i < tags->count; i++) {
		free(tags->items[i].kind);
		free(tags->items[i].value);
	}
	free(tags->items);
	*tags = (struct tags){0};
}
