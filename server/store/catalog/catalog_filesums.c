/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_filesums.h"

#include <stdlib.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"

enum { BATCH = 500 };

enum statement { ARE_BEFORE, SEEK, ADVANCE, FIND_UNDIGESTED, FIND_INSPECTION, LIST, RECORD, MARK };

/* Of those of before, the next thousand. */
#define BEFORE " FROM undigested_before WHERE behind_id < last_id"

static const char *const sql[] = {
	[ARE_BEFORE] = "SELECT 1" BEFORE,
	[SEEK] = "INSERT OR IGNORE INTO undigested (inspection_id) SELECT i.id FROM inspections i"
		 " WHERE i.id > (SELECT behind_id" BEFORE ")"
		 " AND i.id <= (SELECT min(behind_id + 1000, last_id)" BEFORE ")"
		 " AND i.format IN ('tf-hub', 'tfjs')"
		 " AND NOT EXISTS (SELECT 1 FROM member_digests d WHERE d.inspection_id = i.id)",
	[ADVANCE] = "UPDATE undigested_before SET behind_id = min(behind_id + 1000, last_id)",
	[FIND_UNDIGESTED] = "SELECT u.inspection_id, b.digest FROM undigested u"
			    " JOIN inspections i ON i.id = u.inspection_id JOIN blobs b ON b.id = i.blob_id"
			    " WHERE u.inspection_id > ?1 AND b.cached = 1 ORDER BY u.inspection_id LIMIT 1",
	[FIND_INSPECTION] = "SELECT i.id FROM blobs b JOIN inspections i ON i.blob_id = b.id"
			    " WHERE b.digest = ?1 AND i.id > ?2 ORDER BY i.id LIMIT 1",
	[LIST] = "SELECT m.position, m.path FROM members m WHERE m.inspection_id = ?1 AND m.position > ?2"
		 " AND m.is_folder = 0 AND NOT EXISTS (SELECT 1 FROM member_digests d"
		 " WHERE d.inspection_id = m.inspection_id AND d.position = m.position)"
		 " ORDER BY m.position LIMIT ?3",
	[RECORD] = "INSERT INTO member_digests (inspection_id, position, sha256) VALUES (?1, ?2, ?3)",
	[MARK] = "DELETE FROM undigested WHERE inspection_id = ?1",
};

/* Files of one inspection that lack their digest. */
struct batch {
	int64_t positions[BATCH];
	const struct filesum *sums[BATCH]; /* NULL: not known */
	size_t count;
};

bool catalog_seek_undigested(struct catalog *catalog, bool *more, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_has(catalog->db, sql[ARE_BEFORE], more, err))
		return false;
	return !*more || (db_write(catalog->db, &txn, err) && txn_run(txn, sql[SEEK], NULL, 0, err) &&
				 txn_run(txn, sql[ADVANCE], NULL, 0, err) && txn_commit(txn, err));
}

bool catalog_find_undigested(
	struct catalog *catalog, int64_t behind_id, struct undigested *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	struct undigested item = {0};

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_UNDIGESTED], VALUES(v_int(behind_id)));
	if (rows_next(rows))
		item = (struct undigested){rows_int(rows, 0), rows_digest(rows, 1)};
	*out = item;
	return rows_done(rows, err);
}

static bool find_inspection(
	struct catalog *catalog, const struct digest *blob, int64_t behind_id, int64_t *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_INSPECTION],
		VALUES(v_bytes(blob->bytes, sizeof blob->bytes), v_int(behind_id)));
	*out = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

static bool list(struct txn *txn, int64_t id, int64_t behind, const struct filesums *sums, struct batch *out,
	struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST], VALUES(v_int(id), v_int(behind), v_int(BATCH)));

	out->count = 0;
	while (out->count < BATCH && rows_next(rows)) {
		AUTO_FREE char *path = rows_dup(rows, 1);

		out->positions[out->count] = rows_int(rows, 0);
		out->sums[out->count++] = filesums_find(sums, path);
	}
	return rows_done(rows, err);
}

static bool record(struct txn *txn, int64_t id, const struct batch *batch, struct err *err)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct filesum *sum = batch->sums[i];

		if (sum && !txn_run(txn, sql[RECORD],
				   VALUES(v_int(id), v_int(batch->positions[i]),
					   v_bytes(sum->sha256, sizeof sum->sha256)),
				   err))
			return false;
	}
	return true;
}

/* Others write between two batches. */
static bool record_batch(struct catalog *catalog, int64_t id, int64_t behind, const struct filesums *sums,
	struct batch *batch, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_write(catalog->db, &txn, err) && list(txn, id, behind, sums, batch, err) &&
	       record(txn, id, batch, err) &&
	       (batch->count == BATCH || txn_run(txn, sql[MARK], VALUES(v_int(id)), err)) &&
	       txn_commit(txn, err);
}

static bool record_inspection(
	struct catalog *catalog, int64_t id, const struct filesums *sums, struct err *err)
{
	AUTO_FREE struct batch *batch = mem_zero(1, sizeof *batch);
	int64_t behind = -1;

	do {
		if (!record_batch(catalog, id, behind, sums, batch, err))
			return false;
		if (batch->count > 0)
			behind = batch->positions[batch->count - 1];
	} while (batch->count == BATCH);
	return true;
}

bool catalog_record_filesums(
	struct catalog *catalog, const struct digest *blob, const struct filesums *sums, struct err *err)
{
	int64_t id = 0;

	do {
		if (!find_inspection(catalog, blob, id, &id, err) ||
			(id > 0 && !record_inspection(catalog, id, sums, err)))
			return false;
	} while (id > 0);
	return true;
}
