/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_rows.h"

#include <string.h>

enum statement { FIND_IDS, SET_CACHED, REFRESH_CACHED };

static const char *const sql[] = {
	[FIND_IDS] = "SELECT m.id, v.id, v.source, v.state FROM modules m"
		     " JOIN versions v ON v.module_id = m.id AND v.version = ?2 WHERE m.handle = ?1",
	[SET_CACHED] = "UPDATE blobs SET cached = ?2 WHERE id = ?1",
	[REFRESH_CACHED] =
		"UPDATE modules SET latest_cached ="
		" (SELECT coalesce(min(b.cached), 0) FROM artifacts a JOIN blobs b ON b.id = a.blob_id"
		"  WHERE a.version_id = modules.latest_id)"
		" WHERE latest_id IN (SELECT version_id FROM artifacts WHERE blob_id = ?1)",
};

/* The schema admits no other words than these. */
enum version_source rows_source(struct rows *rows, int column)
{
	enum version_source source = SOURCE_LISTED;

	(void)version_source_parse(rows_text(rows, column), &source);
	return source;
}

/* What cannot be read is not served. */
enum version_state rows_state(struct rows *rows, int column)
{
	enum version_state state = STATE_QUARANTINED;

	(void)version_state_parse(rows_text(rows, column), &state);
	return state;
}

bool version_find_ids(struct txn *txn, const struct name *name, struct version_ids *out, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_IDS], VALUES(v_text(name->handle), v_int(name->version)));
	struct version_ids ids = {0};

	if (rows_next(rows)) {
		ids.module_id = rows_int(rows, 0);
		ids.version_id = rows_int(rows, 1);
		ids.source = rows_source(rows, 2);
		ids.state = rows_state(rows, 3);
	}
	if (!rows_done(rows, err))
		return false;
	*out = ids;
	return true;
}

bool blob_set_cached(struct txn *txn, int64_t blob_id, bool cached, struct err *err)
{
	return txn_run(txn, sql[SET_CACHED], VALUES(v_int(blob_id), v_int(cached)), err) &&
	       txn_run(txn, sql[REFRESH_CACHED], VALUES(v_int(blob_id)), err);
}
