/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_withdraw.h"

#include "server/store/catalog/catalog_records.h"

enum statement { WITHDRAW, FIND_ORPHANS };

static const char *const sql[] = {
	[WITHDRAW] = "UPDATE versions SET state = 'withdrawn', updated_at = ?2 WHERE id = ?1",
	[FIND_ORPHANS] = "SELECT b.id, b.digest FROM artifacts a JOIN blobs b ON b.id = a.blob_id"
			 " WHERE a.version_id = ?1 AND b.cached = 1 AND NOT EXISTS"
			 " (SELECT 1 FROM artifacts o JOIN versions v ON v.id = o.version_id"
			 "  WHERE o.blob_id = b.id AND v.state <> 'withdrawn')"
			 " AND NOT EXISTS (SELECT 1 FROM staged_blobs s WHERE s.blob_id = b.id)"
			 " GROUP BY b.id",
};

static bool find_orphans(struct txn *txn, int64_t version_id, struct orphans *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_ORPHANS], VALUES(v_int(version_id)));

	while (out->count < FORMAT_COUNT && rows_next(rows)) {
		out->ids[out->count] = rows_int(rows, 0);
		out->digests[out->count++] = rows_digest(rows, 1);
	}
	return rows_done(rows, err);
}

/* Deleting is the reverse of keeping: the row first gives up its claim, then the file may go. */
static bool disown(struct txn *txn, int64_t version_id, struct orphans *out, struct err *err)
{
	if (!find_orphans(txn, version_id, out, err))
		return false;
	for (size_t i = 0; i < out->count; i++) {
		if (!blob_set_cached(txn, out->ids[i], false, err))
			return false;
	}
	return true;
}

bool version_withdraw(
	struct txn *txn, int64_t version_id, int64_t now_s, struct orphans *out, struct err *err)
{
	*out = (struct orphans){0};
	return txn_run(txn, sql[WITHDRAW], VALUES(v_int(version_id), v_int(now_s)), err) &&
	       disown(txn, version_id, out, err);
}

/* The version's row: made for one that is not known, where that is wanted. */
static bool find_to_withdraw(struct txn *txn, const struct withdrawal *withdrawal, struct version_ids *out,
	bool *known, struct err *err)
{
	const struct keeping keeping = {
		.name = withdrawal->name, .source = SOURCE_LISTED, .now_s = withdrawal->now_s};

	if (!version_find_ids(txn, withdrawal->name, out, err))
		return false;
	*known = out->version_id != 0;
	if (!*known)
		return withdrawal->unknown_too ? version_add(txn, &keeping, out, err)
					       : err_set(err, ERR_NOT_FOUND, "there is no %s",
							 name_path(withdrawal->name).text);
	return out->state != STATE_WITHDRAWN ||
	       err_set(err, ERR_GONE, "%s was withdrawn before", name_path(withdrawal->name).text);
}

/* What others have withdrawn, and was never known here, is no event here. */
static bool audit_withdrawal(
	struct txn *txn, const struct withdrawal *withdrawal, int64_t version_id, bool known, struct err *err)
{
	struct audit_digests before;

	if (!withdrawal->who && !known)
		return true;
	return audit_digests(txn, version_id, &before, err) &&
	       audit_record(txn,
		       &(struct audit_row){.at = withdrawal->now_s,
			       .who = withdrawal->who,
			       .from = withdrawal->from,
			       .action = "withdraw",
			       .subject = name_path(withdrawal->name).text,
			       .before = before.text},
		       err);
}

bool catalog_withdraw(struct catalog *catalog, const struct withdrawal *withdrawal,
	void (*orphaned)(void *context, const struct digest *digest), void *context, struct err *err)
{
	struct orphans orphans;
	AUTO_TXN struct txn *txn = NULL;
	struct version_ids ids;
	bool known;

	if (!db_write_within(catalog->db, DB_MOMENT_MS, &txn, err) ||
		!find_to_withdraw(txn, withdrawal, &ids, &known, err) ||
		!version_withdraw(txn, ids.version_id, withdrawal->now_s, &orphans, err) ||
		!module_refresh(txn, ids.module_id, err) ||
		!audit_withdrawal(txn, withdrawal, ids.version_id, known, err) || !txn_commit(txn, err))
		return false;
	txn_end(TAKE(txn));
	for (size_t i = 0; i < orphans.count && orphaned; i++)
		orphaned(context, &orphans.digests[i]);
	return true;
}
