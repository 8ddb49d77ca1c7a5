/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_attestations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { FIND, SETTLE, FORGET, MEASURE, DISPLACE, RENEW, ADD, LIST, LIST_WITH_TEXTS };

/* Of a row of attestations: whether its artifact is there. */
#define HAS_ARTIFACT(row) \
	"EXISTS (SELECT 1 FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = " row \
	".version" \
	" JOIN artifacts a ON a.version_id = v.id JOIN blobs b ON b.id = a.blob_id" \
	" WHERE m.handle = " row ".handle AND b.digest = " row ".subject)"
#define OLD_PENDING "(SELECT id FROM attestations WHERE pending AND created_at < ?1 LIMIT 100)"
#define COLUMNS "digest, predicate_type, subject, signed_by, key_id, who, created_at"

static const char *const sql[] = {
	[FIND] = "SELECT signed_by, key_id FROM attestations WHERE handle = ?1 AND version = ?2 AND digest = "
		 "?3",
	[SETTLE] = "UPDATE attestations SET pending = 0 WHERE id IN " OLD_PENDING
		   " AND " HAS_ARTIFACT("attestations"),
	[FORGET] =
		"DELETE FROM attestations WHERE id IN " OLD_PENDING " AND NOT " HAS_ARTIFACT("attestations"),
	[MEASURE] = "SELECT count(*), coalesce(sum(length(text)), 0) FROM attestations"
		    " WHERE handle = ?1 AND version = ?2",
	/* First what is about other bytes, then what the same key has signed. */
	[DISPLACE] = "DELETE FROM attestations WHERE id = (SELECT id FROM attestations"
		     " WHERE handle = ?1 AND version = ?2 AND pending"
		     " AND (subject <> ?3 OR key_id IS ?4) AND NOT " HAS_ARTIFACT(
			     "attestations") " ORDER BY subject = ?3, id LIMIT 1)",
	[RENEW] = "UPDATE attestations SET signed_by = ?4, key_id = ?5,"
		  " created_at = CASE WHEN pending AND NOT " HAS_ARTIFACT(
			  "attestations") " THEN ?6 ELSE created_at END"
					  " WHERE handle = ?1 AND version = ?2 AND digest = ?3",
	[ADD] = "INSERT INTO attestations (handle, version, digest, predicate_type, subject, signed_by, "
		"key_id, who,"
		" created_at, text, pending) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1)",
	[LIST] = "SELECT " COLUMNS ", NULL FROM attestations WHERE handle = ?1 AND version = ?2 ORDER BY id",
	[LIST_WITH_TEXTS] =
		"SELECT " COLUMNS ", text FROM attestations WHERE handle = ?1 AND version = ?2 ORDER BY id",
};

static void finish_row(struct attestation_row *row)
{
	free(row->predicate_type);
	free(row->signed_by);
	free(row->key_id);
	free(row->who);
	free(row->text);
}

void attestation_rows_destroy(struct attestation_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		finish_row(&rows[i]);
	free(rows);
}

/* ---- keeping ---- */

struct former_signer {
	bool is_there; /* the attestation is, signed by this one: */
	char *signed_by;
	char *key_id;
};

static void finish_signer(struct former_signer *former)
{
	free(former->signed_by);
	free(former->key_id);
}

/* A day later it is clear whether the artifact has come. */
static bool forget_old(struct txn *txn, int64_t before_s, struct err *err)
{
	return txn_run(txn, sql[SETTLE], VALUES(v_int(before_s)), err) &&
	       txn_run(txn, sql[FORGET], VALUES(v_int(before_s)), err);
}

static bool audit_attestation(struct txn *txn, const struct name *name, const struct attestation_row *row,
	const char *who, struct err *err)
{
	char after[sizeof "sha256:" + sizeof row->digest.hex];

	(void)snprintf(after, sizeof after, "sha256:%s", row->digest.hex);
	return audit_record(txn,
		&(struct audit_row){.at = row->created_at,
			.who = who,
			.from = row->from,
			.action = "attest",
			.subject = name_path(name).text,
			.detail = row->predicate_type,
			.after = after},
		err);
}

static bool find_signer(struct txn *txn, const struct name *name, const struct attestation_row *row,
	struct former_signer *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(
		txn, sql[FIND], VALUES(v_text(name->handle), v_int(name->version), v_digest(&row->digest)));

	out->is_there = rows_next(rows);
	if (out->is_there) {
		out->signed_by = rows_dup(rows, 0);
		out->key_id = rows_dup(rows, 1);
	}
	return rows_done(rows, err);
}

/* Who had signed it when it came stays, also where that key is not trusted any more; who is found to have
 * signed it now is told of. */
static bool renew(
	struct txn *txn, const struct name *name, struct attestation_row *row, bool *done, struct err *err)
{
	AUTO(finish_signer) struct former_signer former = {0};
	bool changes = false;

	if (!find_signer(txn, name, row, &former, err))
		return false;
	*done = former.is_there;
	if (!former.is_there)
		return true;
	if (!row->signed_by) {
		row->signed_by = TAKE(former.signed_by);
		row->key_id = TAKE(former.key_id);
	} else {
		changes = !former.signed_by || strcmp(former.signed_by, row->signed_by) != 0;
	}
	return txn_run(txn, sql[RENEW],
		       VALUES(v_text(name->handle), v_int(name->version), v_digest(&row->digest),
			       v_text(row->signed_by), v_text(row->key_id), v_int(row->created_at)),
		       err) &&
	       (!changes || audit_attestation(txn, name, row, row->who, err));
}

struct measure {
	int64_t count;
	int64_t bytes;
};

static bool measure(struct txn *txn, const struct name *name, struct measure *out, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[MEASURE], VALUES(v_text(name->handle), v_int(name->version)));
	bool found = rows_next(rows);

	*out = (struct measure){found ? rows_int(rows, 0) : 0, found ? rows_int(rows, 1) : 0};
	return rows_done(rows, err);
}

/* What is not here of the version gives way, the oldest first: it may have been refused, or broken off. */
static bool displace(struct txn *txn, const struct name *name, const struct attestation_row *row, bool *done,
	struct err *err)
{
	if (!txn_run(txn, sql[DISPLACE],
		    VALUES(v_text(name->handle), v_int(name->version), v_digest(&row->subject),
			    v_text(row->key_id)),
		    err))
		return false;
	*done = txn_changes(txn) > 0;
	return true;
}

static bool check_limits(struct txn *txn, const struct name *name, const struct attestation_row *row,
	const struct attestation_limits *limits, struct err *err)
{
	struct measure there;

	for (bool displaced = true; displaced;) {
		if (!measure(txn, name, &there, err))
			return false;
		if ((size_t)there.count < limits->count &&
			(size_t)there.bytes + strlen(row->text) <= limits->bytes)
			return true;
		if (!displace(txn, name, row, &displaced, err))
			return false;
	}
	return err_set(err, ERR_CONFLICT,
		"%s has %lld attestations of %lld bytes, and a version may have %zu, of %zu bytes together",
		name_path(name).text, (long long)there.count, (long long)there.bytes, limits->count,
		limits->bytes);
}

bool attestation_add(struct txn *txn, const struct name *name, const struct attestation_row *row,
	const char *who, struct err *err)
{
	return txn_run(txn, sql[ADD],
		       VALUES(v_text(name->handle), v_int(name->version), v_digest(&row->digest),
			       v_text(row->predicate_type), v_digest(&row->subject), v_text(row->signed_by),
			       v_text(row->key_id), v_text(row->who), v_int(row->created_at),
			       v_text(row->text)),
		       err) &&
	       audit_attestation(txn, name, row, who, err);
}

static bool is_here(struct txn *txn, const struct name *name, const struct attestation_row *row, bool *out,
	struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(
		txn, sql[FIND], VALUES(v_text(name->handle), v_int(name->version), v_digest(&row->digest)));

	*out = rows_next(rows);
	return rows_done(rows, err);
}

bool attestation_is_wanted(struct txn *txn, const struct name *name, const struct attestation_row *row,
	bool *out, struct err *err)
{
	static const struct attestation_limits limits = {ATTESTATION_ROWS_MAX, ATTESTATION_ROWS_BYTES_MAX, 0};
	struct err why = {0};
	bool here;

	if (!is_here(txn, name, row, &here, err))
		return false;
	*out = !here && check_limits(txn, name, row, &limits, &why);
	return why.code == ERR_NONE || why.code == ERR_CONFLICT || err_set(err, why.code, "%s", why.text);
}

bool catalog_keep_attestation(struct catalog *catalog, const struct name *name, struct attestation_row *row,
	const struct attestation_limits *limits, bool *created, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	struct version_ids ids;
	bool renewed;

	if (!db_write_within(catalog->db, DB_MOMENT_MS, &txn, err) || !version_find_ids(txn, name, &ids, err))
		return false;
	if (ids.version_id != 0 && ids.state == STATE_WITHDRAWN)
		return version_check_state(name, ids.state, err);
	if (!forget_old(txn, limits->pending_since_s, err) || !renew(txn, name, row, &renewed, err) ||
		(!renewed && (!check_limits(txn, name, row, limits, err) ||
				     !attestation_add(txn, name, row, row->who, err))) ||
		!txn_commit(txn, err))
		return false;
	*created = !renewed;
	return true;
}

/* ---- reading ---- */

static struct attestation_row read_row(struct rows *rows)
{
	return (struct attestation_row){rows_digest(rows, 0), rows_dup(rows, 1), rows_digest(rows, 2),
		rows_dup(rows, 3), rows_dup(rows, 4), rows_dup(rows, 5), rows_int(rows, 6), rows_dup(rows, 7),
		NULL};
}

bool catalog_list_attestations(struct catalog *catalog, const struct name *name, bool with_texts,
	struct attestation_row **out, size_t *count, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	struct attestation_row *list = NULL;
	size_t length = 0, capacity = 0;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[with_texts ? LIST_WITH_TEXTS : LIST],
		VALUES(v_text(name->handle), v_int(name->version)));
	while (rows_next(rows)) {
		MEM_GROW(list, length, capacity);
		list[length++] = read_row(rows);
	}
	if (!rows_done(rows, err)) {
		attestation_rows_destroy(list, length);
		return false;
	}
	*out = list;
	*count = length;
	return true;
}
