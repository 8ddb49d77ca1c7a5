/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_known.h"

#include "server/store/catalog/catalog_rows.h"

/* Negative answers beyond these drive out the oldest: clients choose the names. */
enum { ABSENCES_MAX = 100000 };

enum statement { FORGET_ABSENT, ADD_ABSENT, DROP_OLDEST, FIND_ABSENT, DROP_ENDED, FIND_QUARANTINE };

static const char *const sql[] = {
	[FORGET_ABSENT] = "DELETE FROM absences WHERE handle = ?1 AND version = ?2 AND format = ?3",
	[ADD_ABSENT] = "INSERT INTO absences (handle, version, format, until_s, failed, reason)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[DROP_OLDEST] = "DELETE FROM absences WHERE id <= ?1",
	[FIND_ABSENT] = "SELECT until_s, failed, reason FROM absences"
			" WHERE handle = ?1 AND version = ?2 AND format = ?3 AND until_s > ?4",
	[DROP_ENDED] = "DELETE FROM absences WHERE until_s < ?1",
	[FIND_QUARANTINE] = "SELECT at FROM quarantines WHERE handle = ?1 AND version = ?2 AND format = ?3",
};

bool catalog_remember_absent(
	struct catalog *catalog, const struct name *name, const struct absence *absence, struct err *err)
{
	const struct err *answer = &absence->answer;
	const char *format = formats[name->format].name;
	AUTO_TXN struct txn *txn = NULL;

	/* Deleted and added again rather than updated, so that ids follow the order of the answers. */
	if (!db_write(catalog->db, &txn, err) ||
		!txn_run(txn, sql[FORGET_ABSENT],
			VALUES(v_text(name->handle), v_int(name->version), v_text(format)), err) ||
		!txn_run(txn, sql[ADD_ABSENT],
			VALUES(v_text(name->handle), v_int(name->version), v_text(format),
				v_int(absence->until_s), v_int(answer->code == ERR_UPSTREAM_FAILED),
				v_text(answer->text)),
			err))
		return false;
	return txn_run(txn, sql[DROP_OLDEST], VALUES(v_int(txn_last_id(txn) - ABSENCES_MAX)), err) &&
	       txn_commit(txn, err);
}

bool catalog_prune_absences(struct catalog *catalog, int64_t now_s, int64_t *out_count, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_write(catalog->db, &txn, err) || !txn_run(txn, sql[DROP_ENDED], VALUES(v_int(now_s)), err))
		return false;
	*out_count = txn_changes(txn);
	return txn_commit(txn, err);
}

static bool find_absence(
	struct txn *txn, const struct name *name, int64_t now_s, struct absence *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_ABSENT],
		VALUES(v_text(name->handle), v_int(name->version), v_text(formats[name->format].name),
			v_int(now_s)));

	if (rows_next(rows)) {
		out->until_s = rows_int(rows, 0);
		(void)err_set(&out->answer, rows_int(rows, 1) ? ERR_UPSTREAM_FAILED : ERR_NOT_FOUND, "%s",
			rows_text(rows, 2));
	}
	return rows_done(rows, err);
}

static bool find_quarantine(struct txn *txn, const struct name *name, int64_t *at_s, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_QUARANTINE],
		VALUES(v_text(name->handle), v_int(name->version), v_text(formats[name->format].name)));

	*at_s = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

bool known_is_here(const struct known *known)
{
	return known->artifact.recorded && known->artifact.cached;
}

bool catalog_look(
	struct catalog *catalog, const struct name *name, int64_t now_s, struct known *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	struct known known = {0};

	if (!db_read(catalog->db, &txn, err) ||
		!artifact_find(txn, name, &known.artifact, &known.version, err) ||
		!find_absence(txn, name, now_s, &known.absence, err) ||
		!find_quarantine(txn, name, &known.quarantined_at_s, err))
		return false;
	*out = known;
	return true;
}
