/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_cooldowns.h"

#include "server/store/catalog/catalog_rows.h"

enum statement { NOTE_COOLDOWN, FORGET_PAST, HAS_COOLDOWNS, FIND_COOLDOWN, FORGET_COOLDOWN };

static const char *const sql[] = {
	[NOTE_COOLDOWN] =
		"INSERT OR REPLACE INTO cooldowns (upstream, in_a_row, until_s) VALUES (?1, ?2, ?3)",
	[FORGET_PAST] = "DELETE FROM cooldowns WHERE until_s <= ?1",
	[HAS_COOLDOWNS] = "SELECT 1 FROM cooldowns WHERE until_s > ?1 LIMIT 1",
	[FIND_COOLDOWN] = "SELECT in_a_row, until_s FROM cooldowns WHERE upstream = ?1 AND until_s > ?2",
	[FORGET_COOLDOWN] = "DELETE FROM cooldowns WHERE upstream = ?1",
};

bool catalog_note_cooldown(
	struct catalog *catalog, const struct cooldown *cooldown, int64_t now_s, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_write(catalog->db, &txn, err) &&
	       txn_run(txn, sql[NOTE_COOLDOWN],
		       VALUES(v_digest(&cooldown->upstream), v_int(cooldown->in_a_row),
			       v_int(cooldown->until_s)),
		       err) &&
	       txn_run(txn, sql[FORGET_PAST], VALUES(v_int(now_s)), err) && txn_commit(txn, err);
}

bool catalog_has_cooldowns(struct catalog *catalog, int64_t now_s, bool *has, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	bool found;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[HAS_COOLDOWNS], VALUES(v_int(now_s)));
	found = rows_next(rows);
	if (!rows_done(rows, err))
		return false;
	*has = found;
	return true;
}

bool catalog_find_cooldown(struct catalog *catalog, const struct digest *upstream, int64_t now_s,
	struct cooldown *out, bool *found, struct err *err)
{
	struct cooldown cooldown = {.upstream = *upstream};
	AUTO_TXN struct txn *txn = NULL;
	bool known;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_COOLDOWN], VALUES(v_digest(upstream), v_int(now_s)));
	known = rows_next(rows);
	if (known) {
		cooldown.in_a_row = rows_int(rows, 0);
		cooldown.until_s = rows_int(rows, 1);
	}
	if (!rows_done(rows, err))
		return false;
	*out = cooldown;
	*found = known;
	return true;
}

bool catalog_forget_cooldown(struct catalog *catalog, const struct digest *upstream, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_write(catalog->db, &txn, err) &&
	       txn_run(txn, sql[FORGET_COOLDOWN], VALUES(v_digest(upstream)), err) && txn_commit(txn, err);
}
