/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_recent.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"

/* By the time of each. The planner knows no sizes, and would begin with the versions. */
static const char sql[] =
	"SELECT m.handle, v.version, a.format, a.source, a.published_by, a.created_at"
	" FROM artifacts a INDEXED BY artifacts_by_creation CROSS JOIN versions v ON v.id = a.version_id"
	" CROSS JOIN modules m ON m.id = v.module_id WHERE a.arrival IS NOT NULL AND a.created_at > 0 ORDER "
	"BY a.created_at DESC, "
	"a.version_id DESC"
	" LIMIT ?1";

struct recent {
	struct recent_row *rows;
	size_t count;
};

static void recent_finish(struct recent *recent)
{
	recent_rows_destroy(recent->rows, recent->count);
}

static void read_row(struct rows *rows, struct recent_row *out)
{
	*out = (struct recent_row){.source = rows_source(rows, 3), .at = rows_int(rows, 5)};
	(void)snprintf(out->name.handle, sizeof out->name.handle, "%s", rows_text(rows, 0));
	out->name.version = rows_int(rows, 1);
	(void)format_parse(rows_text(rows, 2), &out->name.format);
	out->published_by = rows_dup(rows, 4);
}

bool catalog_list_recent(
	struct catalog *catalog, size_t limit, struct recent_row **out, size_t *count, struct err *err)
{
	AUTO(recent_finish) struct recent recent = {0};
	AUTO_TXN struct txn *txn = NULL;
	size_t capacity = 0;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql, VALUES(v_int((int64_t)limit)));
	while (rows_next(rows)) {
		MEM_GROW(recent.rows, recent.count, capacity);
		read_row(rows, &recent.rows[recent.count++]);
	}
	if (!rows_done(rows, err))
		return false;
	*count = recent.count;
	*out = TAKE(recent.rows);
	recent.count = 0;
	return true;
}

void recent_rows_destroy(struct recent_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(rows[i].published_by);
	free(rows);
}
