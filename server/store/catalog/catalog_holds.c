/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_holds.h"

#include <stdio.h>

#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_records.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { HOLD, DECIDE, SET_STATE };

static const char *const sql[] = {
	[HOLD] =
		"INSERT INTO holds (version_id, format, decision, reason, at) VALUES (?1, ?2, 'held', ?3, ?4)"
		" ON CONFLICT DO NOTHING",
	[DECIDE] = "INSERT INTO holds (version_id, format, decision, reason, who, at)"
		   " SELECT version_id, format, ?2, ?3, ?4, ?5 FROM artifacts WHERE version_id = ?1"
		   " ON CONFLICT DO UPDATE SET decision = excluded.decision, reason = excluded.reason,"
		   "  who = excluded.who, at = excluded.at",
	[SET_STATE] = "UPDATE versions SET state = ?2, updated_at = ?3 WHERE id = ?1",
};

static bool set_state(
	struct txn *txn, int64_t version_id, enum version_state state, int64_t now_s, struct err *err)
{
	return txn_run(txn, sql[SET_STATE],
		VALUES(v_int(version_id), v_text(version_state_name(state)), v_int(now_s)), err);
}

bool hold_record(struct txn *txn, const struct keeping *keeping, struct record *record, struct err *err)
{
	const char *format = formats[keeping->name->format].name;
	char detail[256];

	if (!keeping->held_for)
		return true;
	if (!txn_run(txn, sql[HOLD],
		    VALUES(v_int(record->ids.version_id), v_text(format), v_text(keeping->held_for),
			    v_int(keeping->now_s)),
		    err))
		return false;
	if (txn_changes(txn) == 0)
		return true;
	record->refresh = true;
	(void)snprintf(detail, sizeof detail, "%s: %s", format, keeping->held_for);
	return set_state(txn, record->ids.version_id, STATE_QUARANTINED, keeping->now_s, err) &&
	       audit_record(txn, keeping->now_s,
		       keeping->published_by ? keeping->published_by : keeping->upstream, "quarantine",
		       name_path(keeping->name).text, detail, err);
}

bool catalog_decide(
	struct catalog *catalog, const struct name *name, const struct decision *decision, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	struct version_ids ids;

	if (!db_write_within(catalog->db, DB_MOMENT_MS, &txn, err) || !version_find_ids(txn, name, &ids, err))
		return false;
	if (ids.version_id == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", name_path(name).text);
	if (ids.state == STATE_WITHDRAWN)
		return version_check_state(name, ids.state, err);
	if (!txn_run(txn, sql[DECIDE],
		    VALUES(v_int(ids.version_id), v_text(decision->approves ? "approved" : "rejected"),
			    v_text(decision->reason), v_text(decision->who), v_int(decision->now_s)),
		    err))
		return false;
	if (txn_changes(txn) == 0)
		return err_set(err, ERR_NOT_FOUND, "nothing of %s is here that could be decided of",
			name_path(name).text);
	return set_state(txn, ids.version_id, decision->approves ? STATE_ACTIVE : STATE_QUARANTINED,
		       decision->now_s, err) &&
	       module_refresh(txn, ids.module_id, err) &&
	       audit_record(txn, decision->now_s, decision->who, decision->approves ? "approve" : "reject",
		       name_path(name).text, decision->reason, err) &&
	       txn_commit(txn, err);
}
