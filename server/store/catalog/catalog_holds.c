/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_holds.h"

#include <stdio.h>
#include <string.h>

#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_audit.h"
#include "server/store/catalog/catalog_notes.h"
#include "server/store/catalog/catalog_records.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { HOLD, DECIDE, SETTLE, FIND_HOLDS, TAKE_HOLD, FIND_STATE, FIND_BYTES };

static const char *const sql[] = {
	[HOLD] =
		"INSERT INTO holds (version_id, format, decision, reason, at) VALUES (?1, ?2, 'held', ?3, ?4)"
		" ON CONFLICT DO NOTHING",
	[DECIDE] = "INSERT INTO holds (version_id, format, decision, reason, who, at)"
		   " SELECT version_id, format, ?2, ?3, ?4, ?5 FROM artifacts WHERE version_id = ?1"
		   " ON CONFLICT DO UPDATE SET decision = excluded.decision, reason = excluded.reason,"
		   "  who = excluded.who, at = excluded.at",
	[SETTLE] = "UPDATE versions SET updated_at = max(updated_at, ?2), state ="
		   " iif(EXISTS (SELECT 1 FROM holds h WHERE h.version_id = ?1"
		   "   AND h.decision <> 'approved')"
		   "  AND NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.version_id = ?1 AND NOT EXISTS"
		   "   (SELECT 1 FROM holds h WHERE h.version_id = ?1 AND h.format = a.format"
		   "    AND h.decision <> 'approved')), 'quarantined', 'active')"
		   " WHERE id = ?1 AND state <> 'withdrawn'",
	[FIND_HOLDS] =
		"SELECT h.format, h.decision, h.reason, coalesce(h.who, ''), h.at, b.digest FROM holds h"
		" LEFT JOIN artifacts a ON a.version_id = h.version_id AND a.format = h.format"
		" LEFT JOIN blobs b ON b.id = a.blob_id WHERE h.version_id = ?1",
	[TAKE_HOLD] = "INSERT INTO holds (version_id, format, decision, reason, who, at) VALUES (?1, ?2, ?3, "
		      "?4, ?5, ?6)"
		      " ON CONFLICT DO UPDATE SET decision = excluded.decision, reason = excluded.reason,"
		      "  who = excluded.who, at = excluded.at",
	[FIND_STATE] = "SELECT " FORMAT_STATE " FROM versions v"
		       " LEFT JOIN holds h ON h.version_id = v.id AND h.format = ?2 WHERE v.id = ?1",
	[FIND_BYTES] = "SELECT b.digest FROM artifacts a JOIN blobs b ON b.id = a.blob_id"
		       " WHERE a.version_id = ?1 AND a.format = ?2",
};

/* A version is held back where all that there is of it is. */
static bool settle(struct txn *txn, int64_t version_id, int64_t now_s, struct err *err)
{
	return txn_run(txn, sql[SETTLE], VALUES(v_int(version_id), v_int(now_s)), err);
}

bool hold_narrow_state(struct txn *txn, enum format format, struct version_ids *ids, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_STATE], VALUES(v_int(ids->version_id), v_text(formats[format].name)));

	if (rows_next(rows))
		ids->state = rows_state(rows, 0);
	return rows_done(rows, err);
}

bool hold_lets_in(const struct keeping *keeping, const struct record *record, struct err *err)
{
	return (keeping->import && record->ids.state == STATE_QUARANTINED) ||
	       version_check_state(keeping->name, record->ids.state, err);
}

static const char *who_kept(const struct keeping *keeping)
{
	if (keeping->import)
		return keeping->import->who;
	return keeping->published_by ? keeping->published_by : keeping->upstream;
}

/* What findings hold back from then on. */
static bool audit_quarantine(struct txn *txn, const struct name *name, const struct digest *digest,
	const char *reason, const struct audit_row *begun, struct err *err)
{
	const struct audit_digests before = audit_digest(name->format, digest);
	struct audit_row row = *begun;
	char detail[256];

	(void)snprintf(detail, sizeof detail, "%s: %s", formats[name->format].name, reason);
	row.action = "quarantine";
	row.subject = name_path(name).text;
	row.detail = detail;
	row.before = before.text;
	return audit_record(txn, &row, err);
}

bool hold_record(struct txn *txn, const struct keeping *keeping, struct record *record, struct err *err)
{
	const char *format = formats[keeping->name->format].name;

	if (!keeping->held_for)
		return !record->refresh || settle(txn, record->ids.version_id, 0, err);
	if (!txn_run(txn, sql[HOLD],
		    VALUES(v_int(record->ids.version_id), v_text(format), v_text(keeping->held_for),
			    v_int(keeping->now_s)),
		    err))
		return false;
	if (txn_changes(txn) == 0)
		return !record->refresh || settle(txn, record->ids.version_id, keeping->now_s, err);
	record->refresh = true;
	return settle(txn, record->ids.version_id, keeping->now_s, err) &&
	       audit_quarantine(txn, keeping->name, &keeping->checksums->sha256, keeping->held_for,
		       &(struct audit_row){
			       .at = keeping->now_s, .who = who_kept(keeping), .from = keeping->from},
		       err);
}

bool hold_late(struct txn *txn, const struct name *name, const struct digest *digest, const char *reason,
	int64_t now_s, bool *held, struct err *err)
{
	struct version_ids ids;

	*held = false;
	if (!version_find_ids(txn, name, &ids, err))
		return false;
	if (ids.version_id == 0 || ids.state == STATE_WITHDRAWN)
		return true;
	if (!txn_run(txn, sql[HOLD],
		    VALUES(v_int(ids.version_id), v_text(formats[name->format].name), v_text(reason),
			    v_int(now_s)),
		    err))
		return false;
	*held = txn_changes(txn) > 0;
	return !*held ||
	       (settle(txn, ids.version_id, now_s, err) && module_refresh(txn, ids.module_id, err) &&
		       audit_quarantine(txn, name, digest, reason,
			       &(struct audit_row){.at = now_s, .from = audit_command_line().text}, err));
}

static bool audit_decision(struct txn *txn, const struct name *name, int64_t version_id,
	const struct decision *decision, struct err *err)
{
	struct audit_digests digests;

	return audit_digests(txn, version_id, &digests, err) &&
	       audit_record(txn,
		       &(struct audit_row){.at = decision->now_s,
			       .who = decision->who,
			       .from = decision->from,
			       .action = decision->approves ? "approve" : "reject",
			       .subject = name_path(name).text,
			       .detail = decision->reason,
			       .before = decision->approves ? NULL : digests.text,
			       .after = decision->approves ? digests.text : NULL},
		       err);
}

bool catalog_refuse_undecidable(const struct name *name, struct err *err)
{
	return err_set(
		err, ERR_NOT_FOUND, "nothing of %s is here that could be decided of", name_path(name).text);
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
		return catalog_refuse_undecidable(name, err);
	return settle(txn, ids.version_id, decision->now_s, err) && module_refresh(txn, ids.module_id, err) &&
	       audit_decision(txn, name, ids.version_id, decision, err) && txn_commit(txn, err);
}

/* ---- what all nodes have ---- */

static const char *const decisions[HOLD_DECISION_COUNT] = {
	[HOLD_NONE] = "", [HOLD_HELD] = "held", [HOLD_APPROVED] = "approved", [HOLD_REJECTED] = "rejected"};

/* What the audit log calls that. */
static const char *const actions[HOLD_DECISION_COUNT] = {
	[HOLD_HELD] = "quarantine", [HOLD_APPROVED] = "approve", [HOLD_REJECTED] = "reject"};

const char *hold_decision_name(enum hold_decision decision)
{
	return decisions[decision];
}

bool hold_decision_parse(const char *name, enum hold_decision *out)
{
	for (int i = HOLD_HELD; i < HOLD_DECISION_COUNT; i++) {
		if (strcmp(name, decisions[i]) == 0) {
			*out = (enum hold_decision)i;
			return true;
		}
	}
	return false;
}

static void read_hold(struct rows *rows, struct hold_entry out[FORMAT_COUNT])
{
	enum format format;
	struct hold_entry hold = {.at_s = rows_int(rows, 4)};

	(void)snprintf(hold.reason, sizeof hold.reason, "%s", rows_text(rows, 2));
	(void)snprintf(hold.who, sizeof hold.who, "%s", rows_text(rows, 3));
	hold.is_of_bytes = !rows_is_null(rows, 5);
	if (hold.is_of_bytes)
		hold.bytes = rows_digest(rows, 5);
	if (format_parse(rows_text(rows, 0), &format) &&
		hold_decision_parse(rows_text(rows, 1), &hold.decision))
		out[format] = hold;
}

static bool find_holds(
	struct txn *txn, int64_t version_id, struct hold_entry out[FORMAT_COUNT], struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_HOLDS], VALUES(v_int(version_id)));

	memset(out, 0, FORMAT_COUNT * sizeof *out);
	while (rows_next(rows))
		read_hold(rows, out);
	return rows_done(rows, err);
}

bool catalog_find_holds(struct catalog *catalog, const struct name *name, struct hold_entry out[FORMAT_COUNT],
	bool *found, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	struct version_ids ids;

	if (!db_read(catalog->db, &txn, err) || !version_find_ids(txn, name, &ids, err))
		return false;
	*found = ids.version_id != 0;
	return find_holds(txn, ids.version_id, out, err);
}

static bool is_same(const struct hold_entry *a, const struct hold_entry *b)
{
	return a->decision == b->decision && a->at_s == b->at_s && strcmp(a->reason, b->reason) == 0 &&
	       strcmp(a->who, b->who) == 0;
}

static bool audit_hold(struct txn *txn, int64_t version_id, const struct name *name,
	const struct hold_entry *hold, struct err *err)
{
	bool approves = hold->decision == HOLD_APPROVED;
	struct audit_digests digests;

	return audit_digests(txn, version_id, &digests, err) &&
	       audit_record(txn,
		       &(struct audit_row){.at = hold->at_s,
			       .who = *hold->who ? hold->who : NULL,
			       .from = AUDIT_ALL_NODES,
			       .action = actions[hold->decision],
			       .subject = name_path(name).text,
			       .detail = hold->reason,
			       .before = approves ? NULL : digests.text,
			       .after = approves ? digests.text : NULL},
		       err);
}

/* One line of the audit log for all formats that the same was decided of. */
static bool take_hold(struct txn *txn, int64_t version_id, const struct name *name, enum format format,
	const struct hold_entry *hold, bool tells, struct err *err)
{
	const char *who = *hold->who ? hold->who : NULL;

	return txn_run(txn, sql[TAKE_HOLD],
		       VALUES(v_int(version_id), v_text(formats[format].name),
			       v_text(decisions[hold->decision]), v_text(hold->reason), v_text(who),
			       v_int(hold->at_s)),
		       err) &&
	       (!tells || audit_hold(txn, version_id, name, hold, err));
}

/* Whether it is of what is on record here; *pending: nothing is, so far. */
static bool concerns(struct txn *txn, int64_t version_id, enum format format, const struct hold_entry *hold,
	bool *out, bool *pending, struct err *err)
{
	*out = hold->decision != HOLD_NONE;
	if (hold->decision != HOLD_HELD || !hold->is_of_bytes)
		return true;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_BYTES], VALUES(v_int(version_id), v_text(formats[format].name)));
	bool known = rows_next(rows);
	struct digest here = known ? rows_digest(rows, 0) : (struct digest){0};

	*out = known && digest_equal(&here, &hold->bytes);
	*pending = *pending || !known;
	return rows_done(rows, err);
}

static bool take_those(struct txn *txn, int64_t version_id, const struct name *name,
	const struct hold_entry holds[FORMAT_COUNT], int64_t *last_s, bool *pending, struct err *err)
{
	struct hold_entry before[FORMAT_COUNT];
	const struct hold_entry *told = NULL;
	bool wanted;

	if (!find_holds(txn, version_id, before, err))
		return false;
	for (int i = 0; i < FORMAT_COUNT; i++) {
		const struct hold_entry *hold = &holds[i];

		if (!concerns(txn, version_id, (enum format)i, hold, &wanted, pending, err))
			return false;
		if (!wanted || is_same(hold, &before[i]))
			continue;
		if (!take_hold(
			    txn, version_id, name, (enum format)i, hold, !told || !is_same(told, hold), err))
			return false;
		told = hold;
		*last_s = hold->at_s > *last_s ? hold->at_s : *last_s;
	}
	return true;
}

bool catalog_take_holds(struct catalog *catalog, const struct name *name,
	const struct hold_entry holds[FORMAT_COUNT], int64_t revision, struct err *err)
{
	const struct note_taken note = {"holds", name->handle, name->version, revision};
	AUTO_TXN struct txn *txn = NULL;
	struct version_ids ids;
	int64_t last_s = 0;
	bool pending = false;
	bool news;

	if (!db_write_within(catalog->db, DB_MOMENT_MS, &txn, err) || !version_find_ids(txn, name, &ids, err))
		return false;
	if (ids.version_id == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", name_path(name).text);
	if (!note_is_news(txn, &note, &news, err))
		return false;
	if (!news || ids.state == STATE_WITHDRAWN)
		return true;
	if (!take_those(txn, ids.version_id, name, holds, &last_s, &pending, err) ||
		(!pending && !note_claim(txn, &note, &news, err)))
		return false;
	if (last_s == 0)
		return txn_commit(txn, err);
	return settle(txn, ids.version_id, last_s, err) && module_refresh(txn, ids.module_id, err) &&
	       txn_commit(txn, err);
}
