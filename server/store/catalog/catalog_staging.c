/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_staging.h"

#include "common/mem.h"
#include "server/store/catalog/catalog_records.h"

enum statement { STAGE, NOTE_USE, IS_FRESH, RENEW, LIST_OLD, UNSTAGE, IS_CLAIMED, IS_NAMED, DROP_BLOB };

/* Whoever goes on a day later stages again what else would go too soon. */
enum { FRESH_S = 24 * 3600 };

static const char *const sql[] = {
	[STAGE] = "INSERT INTO staged_blobs (blob_id, bundle, at) VALUES (?1, ?3, ?2)"
		  " ON CONFLICT DO UPDATE SET at = excluded.at",
	/* What will be published is no part of what max_bytes bounds, before it has its name as after. */
	[NOTE_USE] =
		"UPDATE blobs SET used_at = max(used_at, ?2), published = max(published, ?3) WHERE id = ?1",
	[IS_FRESH] = "SELECT 1 FROM staged_blobs WHERE blob_id = ?1 AND bundle = ?3 AND at > ?2",
	[RENEW] = "UPDATE staged_blobs SET at = ?2 WHERE bundle = ?1 AND at < ?3",
	[LIST_OLD] = "SELECT b.id, b.digest, s.bundle FROM staged_blobs s JOIN blobs b ON b.id = s.blob_id"
		     " WHERE s.at < ?1 ORDER BY s.at LIMIT ?2",
	[UNSTAGE] = "DELETE FROM staged_blobs WHERE blob_id = ?1 AND bundle = ?2",
	[IS_CLAIMED] = "SELECT 1 WHERE EXISTS (SELECT 1 FROM artifacts a JOIN versions v"
		       "  ON v.id = a.version_id WHERE a.blob_id = ?1 AND v.state <> 'withdrawn')"
		       " OR EXISTS (SELECT 1 FROM staged_blobs s WHERE s.blob_id = ?1)",
	[IS_NAMED] = "SELECT 1 FROM artifacts WHERE blob_id = ?1 LIMIT 1",
	[DROP_BLOB] = "DELETE FROM blobs WHERE id = ?1",
};

static bool ask_whether(struct txn *txn, const char *text, const struct value *values, size_t count,
	bool *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, text, values, count);

	*out = rows_next(rows);
	return rows_done(rows, err);
}

/* ---- staging ---- */

static bool stage(struct txn *txn, int64_t blob_id, const struct keeping *keeping, struct err *err)
{
	return txn_run(txn, sql[STAGE],
		       VALUES(v_int(blob_id), v_int(keeping->now_s), v_digest(keeping->staged_for)), err) &&
	       txn_run(txn, sql[NOTE_USE],
		       VALUES(v_int(blob_id), v_int(keeping->now_s),
			       v_int(keeping->source == SOURCE_PUBLISHED)),
		       err);
}

bool catalog_stage_blob(struct catalog *catalog, const struct keeping *keeping, bool patient, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t blob_id;

	return db_write_within(catalog->db, patient ? DB_PATIENCE_MS : DB_MOMENT_MS, &txn, err) &&
	       blob_record(txn, keeping, &blob_id, err) && stage(txn, blob_id, keeping, err) &&
	       txn_commit(txn, err);
}

static bool look(
	struct catalog *catalog, const struct keeping *keeping, bool *held, bool *fresh, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t blob_id;

	*fresh = false;
	if (!db_read(catalog->db, &txn, err) || !staged_find(txn, keeping, &blob_id, err))
		return false;
	*held = blob_id != 0;
	return !*held ||
	       ask_whether(txn, sql[IS_FRESH],
		       VALUES(v_int(blob_id), v_int(keeping->now_s - FRESH_S), v_digest(keeping->staged_for)),
		       fresh, err);
}

bool catalog_hold_staged(struct catalog *catalog, const struct keeping *keeping, bool *held, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t blob_id;
	bool fresh;

	if (!look(catalog, keeping, held, &fresh, err))
		return false;
	if (!*held || fresh)
		return true;
	/* It may have gone since. */
	if (!db_write(catalog->db, &txn, err) || !staged_find(txn, keeping, &blob_id, err))
		return false;
	*held = blob_id != 0;
	return !*held || (stage(txn, blob_id, keeping, err) && txn_commit(txn, err));
}

bool catalog_renew_staged(
	struct catalog *catalog, const struct digest *bundle, int64_t now_s, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_write(catalog->db, &txn, err) &&
	       txn_run(txn, sql[RENEW], VALUES(v_digest(bundle), v_int(now_s), v_int(now_s - FRESH_S)),
		       err) &&
	       (txn_changes(txn) == 0 || txn_commit(txn, err));
}

/* ---- letting go ---- */

struct old_blob {
	int64_t id;
	struct digest digest;
	struct digest bundle;
	bool orphaned;
};

struct old_blobs {
	struct old_blob *items;
	size_t count;
	size_t capacity;
};

static void finish_old(struct old_blobs *old)
{
	free(old->items);
}

static bool list_old(struct txn *txn, int64_t before_s, size_t limit, struct old_blobs *out, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_OLD], VALUES(v_int(before_s), v_int((int64_t)limit)));

	while (rows_next(rows)) {
		MEM_GROW(out->items, out->count, out->capacity);
		out->items[out->count++] = (struct old_blob){.id = rows_int(rows, 0),
			.digest = rows_digest(rows, 1),
			.bundle = rows_digest(rows, 2)};
	}
	return rows_done(rows, err);
}

static bool let_go(struct txn *txn, struct old_blob *old, struct err *err)
{
	bool claimed, named;

	if (!txn_run(txn, sql[UNSTAGE], VALUES(v_int(old->id), v_digest(&old->bundle)), err) ||
		!ask_whether(txn, sql[IS_CLAIMED], VALUES(v_int(old->id)), &claimed, err) ||
		!ask_whether(txn, sql[IS_NAMED], VALUES(v_int(old->id)), &named, err))
		return false;
	old->orphaned = !claimed;
	/* The row of what had a name once stays: nobody may take that for other bytes. */
	return claimed || (blob_set_cached(txn, old->id, false, err) &&
				  (named || txn_run(txn, sql[DROP_BLOB], VALUES(v_int(old->id)), err)));
}

bool catalog_unstage(struct catalog *catalog, int64_t before_s, size_t limit,
	void (*orphaned)(void *context, const struct digest *digest), void *context, size_t *count,
	struct err *err)
{
	AUTO(finish_old) struct old_blobs old = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_write(catalog->db, &txn, err) || !list_old(txn, before_s, limit, &old, err))
		return false;
	for (size_t i = 0; i < old.count; i++) {
		if (!let_go(txn, &old.items[i], err))
			return false;
	}
	if (old.count > 0 && !txn_commit(txn, err))
		return false;
	txn_end(TAKE(txn));
	for (size_t i = 0; i < old.count; i++) {
		if (old.items[i].orphaned)
			orphaned(context, &old.items[i].digest);
	}
	*count = old.count;
	return true;
}
