/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_md5.h"

#include "server/store/catalog/catalog_rows.h"

enum statement { LIST, RECORD };

static const char *const sql[] = {
	[LIST] = "SELECT id, digest, size_bytes FROM blobs WHERE md5 IS NULL AND cached = 1 AND id > ?1"
		 " ORDER BY id LIMIT ?2",
	[RECORD] = "UPDATE blobs SET md5 = ?2 WHERE id = ?1",
};

bool catalog_list_without_md5(struct catalog *catalog, int64_t behind_id, size_t limit, struct blob_md5 *out,
	size_t *count, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	size_t found = 0;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST], VALUES(v_int(behind_id), v_int((int64_t)limit)));
	while (found < limit && rows_next(rows))
		out[found++] = (struct blob_md5){.id = rows_int(rows, 0),
			.digest = rows_digest(rows, 1),
			.size_bytes = rows_int(rows, 2)};
	*count = found;
	return rows_done(rows, err);
}

bool catalog_record_md5(struct catalog *catalog, const struct blob_md5 *items, size_t count, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_write(catalog->db, &txn, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (items[i].known &&
			!txn_run(txn, sql[RECORD],
				VALUES(v_int(items[i].id), v_bytes(items[i].md5, sizeof items[i].md5)), err))
			return false;
	}
	return txn_commit(txn, err);
}
