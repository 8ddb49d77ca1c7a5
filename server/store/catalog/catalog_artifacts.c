/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_artifacts.h"

#include <stdio.h>

#include "server/module/safety/safety_rules.h"
#include "server/store/catalog/catalog_rows.h"

/* Behind source, state and what artifact_fill() reads. */
enum { HELD_FOR_COLUMN = 13, UNJUDGED_COLUMN };

enum statement { FIND_ARTIFACT, FIND_CACHED_BLOB, FIND_NEEDED_BLOB, COUNT_DOWNLOADS };

static const char *const sql[] = {
	[FIND_ARTIFACT] = "SELECT v.source, " FORMAT_STATE ", " ARTIFACT_COLUMNS
			  ", iif(h.decision <> 'approved', h.reason, NULL),"
			  " a.unjudged = 1 AND NOT EXISTS (SELECT 1 FROM inspections i WHERE i.blob_id = b.id"
			  "  AND i.format = a.format AND i.safety_version >= ?4"
			  "  AND NOT EXISTS (SELECT 1 FROM safety_findings f WHERE f.inspection_id = i.id))"
			  " FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = ?2"
			  " LEFT JOIN artifacts a ON a.version_id = v.id AND a.format = ?3"
			  " LEFT JOIN blobs b ON b.id = a.blob_id"
			  " LEFT JOIN holds h ON h.version_id = v.id AND h.format = ?3 WHERE m.handle = ?1",
	[FIND_CACHED_BLOB] = "SELECT id FROM blobs WHERE digest = ?1 AND cached = 1",
	[FIND_NEEDED_BLOB] = "SELECT id FROM blobs WHERE digest = ?1 AND (cached = 1 OR published = 1)",
	[COUNT_DOWNLOADS] =
		"UPDATE artifacts SET downloads = downloads + ?3, last_used_at = max(last_used_at, ?4)"
		" WHERE version_id = ?1 AND format = ?2",
};

/* ---- artifacts ---- */

void artifact_fill(struct rows *rows, int column, struct artifact *out)
{
	out->recorded = true;
	out->checksums.sha256 = rows_digest(rows, column);
	out->checksums.has_md5 = !rows_is_null(rows, column + 1);
	if (out->checksums.has_md5)
		rows_bytes(rows, column + 1, out->checksums.md5, sizeof out->checksums.md5);
	out->size_bytes = rows_int(rows, column + 2);
	out->unpacked_bytes = rows_int(rows, column + 3);
	out->file_count = rows_int(rows, column + 4);
	out->created_at = rows_int(rows, column + 5);
	out->cached = rows_int(rows, column + 6) != 0;
	out->downloads = rows_int(rows, column + 7);
	out->last_used_at = rows_int(rows, column + 8);
	out->source = rows_source(rows, column + 9);
	out->examined = rows_int(rows, column + 10) != 0;
}

bool version_check_state(const struct name *name, enum version_state state, struct err *err)
{
	switch (state) {
	case STATE_WITHDRAWN:
		return err_set(err, ERR_GONE,
			"%s was withdrawn, and its number is never used again: use another version",
			name_path(name).text);
	case STATE_QUARANTINED:
		return err_set(err, ERR_QUARANTINED,
			"%.200s is held back. Withdraw it, and publish another version",
			name_path(name).text);
	default:
		return true;
	}
}

bool version_refuse_known(const struct name *name, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "%.200s is here already, and was to be a new version",
		name_path(name).text);
}

bool artifact_check_state(const struct artifact *artifact, struct err *err)
{
	if (artifact->state != STATE_QUARANTINED || !artifact->held_for[0])
		return version_check_state(&artifact->name, artifact->state, err);
	return err_set(err, ERR_QUARANTINED,
		"%.150s is held back: %s. Have it approved, or use another version",
		name_path(&artifact->name).text, artifact->held_for);
}

bool artifact_is_examined(const struct artifact *artifact)
{
	return artifact->examined;
}

bool artifact_check_published(const struct artifact *artifact, struct err *err)
{
	if (artifact->recorded || artifact->version_source != SOURCE_PUBLISHED)
		return true;
	return err_set(err, ERR_NOT_FOUND,
		"%.200s is published here, and not as %s; no upstream is asked for the rest of what is "
		"published",
		name_path(&artifact->name).text, formats[artifact->name.format].name);
}

bool artifact_find(
	struct txn *txn, const struct name *name, struct artifact *out, bool *found, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_ARTIFACT],
		VALUES(v_text(name->handle), v_int(name->version), v_text(formats[name->format].name),
			v_int(safety_version)));

	*out = (struct artifact){.name = *name, .version_source = SOURCE_LISTED, .source = SOURCE_LISTED};
	*found = rows_next(rows);
	if (*found) {
		out->version_source = out->source = rows_source(rows, 0);
		out->state = rows_state(rows, 1);
		if (!rows_is_null(rows, 2))
			artifact_fill(rows, 2, out);
		if (!rows_is_null(rows, UNJUDGED_COLUMN) && rows_int(rows, UNJUDGED_COLUMN))
			out->cached = false;
		if (!rows_is_null(rows, HELD_FOR_COLUMN))
			(void)snprintf(
				out->held_for, sizeof out->held_for, "%s", rows_text(rows, HELD_FOR_COLUMN));
	}
	return rows_done(rows, err);
}

bool catalog_find_artifact(
	struct catalog *catalog, const struct name *name, struct artifact *out, bool *found, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_read(catalog->db, &txn, err) && artifact_find(txn, name, out, found, err);
}

static bool count_downloads(struct txn *txn, const struct downloads *downloads, struct err *err)
{
	const struct name *name = &downloads->name;
	struct version_ids ids;

	if (!version_find_ids(txn, name, &ids, err) ||
		!txn_run(txn, sql[COUNT_DOWNLOADS],
			VALUES(v_int(ids.version_id), v_text(formats[name->format].name),
				v_int(downloads->count), v_int(downloads->last_at)),
			err))
		return false;
	return txn_changes(txn) == 0 || downloads->count == 0 ||
	       trend_record(txn, ids.module_id, downloads->count, downloads->last_at, err);
}

bool catalog_count_downloads(
	struct catalog *catalog, const struct downloads *items, size_t count, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_write(catalog->db, &txn, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!count_downloads(txn, &items[i], err))
			return false;
	}
	return (count == 0 || trend_forget(txn, items[0].last_at, err)) && txn_commit(txn, err);
}

/* ---- blobs ---- */

/* The id of the one that a statement finds; 0 where there is none. */
static bool find_blob(struct txn *txn, enum statement statement, const struct digest *digest, int64_t *out_id,
	struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[statement], VALUES(v_digest(digest)));
	int64_t id = rows_next(rows) ? rows_int(rows, 0) : 0;

	if (!rows_done(rows, err))
		return false;
	*out_id = id;
	return true;
}

static bool is_there(struct catalog *catalog, enum statement statement, const struct digest *digest,
	bool *there, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t id;

	if (!db_read(catalog->db, &txn, err) || !find_blob(txn, statement, digest, &id, err))
		return false;
	*there = id != 0;
	return true;
}

bool catalog_claims_blob(struct catalog *catalog, const struct digest *digest, bool *claimed, struct err *err)
{
	return is_there(catalog, FIND_CACHED_BLOB, digest, claimed, err);
}

bool catalog_needs_blob(struct catalog *catalog, const struct digest *digest, bool *needed, struct err *err)
{
	return is_there(catalog, FIND_NEEDED_BLOB, digest, needed, err);
}

bool catalog_forget_blob(struct catalog *catalog, const struct digest *digest, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t id;

	if (!db_write(catalog->db, &txn, err) || !find_blob(txn, FIND_CACHED_BLOB, digest, &id, err))
		return false;
	if (id == 0)
		return true;
	return audit_loss(txn, id, "lose", err) && blob_set_cached(txn, id, false, err) &&
	       txn_commit(txn, err);
}
