/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_passes.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/store/catalog/catalog_rows.h"

enum statement {
	FIND,
	WRITE,
	FIRST_BLOB,
	NEXT_BLOB,
	FIRST_LOST,
	NEXT_LOST,
	MEASURE,
	LIST_NAMES,
	FIND_LOST_BLOB,
	FORGET_ALL,
	REFRESH_ALL
};

#define BLOB_COLUMNS "SELECT id, digest, size_bytes, published FROM blobs"

static const char *const sql[] = {
	[FIND] = "SELECT started_at, behind, blobs, bytes, damaged, last_started_at, last_ended_at, "
		 "last_blobs,"
		 " last_bytes, last_damaged FROM passes WHERE kind = ?1",
	[WRITE] = "INSERT INTO passes (kind, started_at, behind, blobs, bytes, damaged, last_started_at,"
		  "  last_ended_at, last_blobs, last_bytes, last_damaged)"
		  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
		  " ON CONFLICT DO UPDATE SET started_at = excluded.started_at, behind = excluded.behind,"
		  "  blobs = excluded.blobs, bytes = excluded.bytes, damaged = excluded.damaged,"
		  "  last_started_at = excluded.last_started_at, last_ended_at = excluded.last_ended_at,"
		  "  last_blobs = excluded.last_blobs, last_bytes = excluded.last_bytes,"
		  "  last_damaged = excluded.last_damaged",
	[FIRST_BLOB] = BLOB_COLUMNS " WHERE digest >= x'' AND cached = 1 ORDER BY digest LIMIT 1",
	[NEXT_BLOB] = BLOB_COLUMNS " WHERE digest > ?1 AND cached = 1 ORDER BY digest LIMIT 1",
	[FIRST_LOST] =
		BLOB_COLUMNS " WHERE digest >= x'' AND published = 1 AND cached = 0 ORDER BY digest LIMIT 1",
	[NEXT_LOST] =
		BLOB_COLUMNS " WHERE digest > ?1 AND published = 1 AND cached = 0 ORDER BY digest LIMIT 1",
	[MEASURE] = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM blobs WHERE cached = 1",
	[LIST_NAMES] =
		"SELECT m.handle, v.version, a.format FROM artifacts a"
		" JOIN versions v ON v.id = a.version_id JOIN modules m ON m.id = v.module_id"
		" WHERE a.blob_id = ?1 AND v.state <> 'withdrawn' ORDER BY m.handle, v.version LIMIT ?2",
	[FIND_LOST_BLOB] = "SELECT b.id FROM blobs b WHERE b.digest = ?1 AND b.cached = 0"
			   " AND EXISTS (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id"
			   "  WHERE a.blob_id = b.id AND v.state <> 'withdrawn')",
	[FORGET_ALL] = "UPDATE blobs SET cached = 0 WHERE cached = 1",
	[REFRESH_ALL] = "UPDATE modules SET latest_cached = 0 WHERE latest_cached = 1",
};

static const char *const kinds[PASS_KIND_COUNT] = {[PASS_VERIFY] = "verify", [PASS_SCRUB] = "scrub"};

const char *pass_kind_name(enum pass_kind kind)
{
	return kinds[kind];
}

static void read_pass(struct rows *rows, struct pass *out)
{
	*out = (struct pass){.started_s = rows_int(rows, 0),
		.begun = !rows_is_null(rows, 1),
		.sums = {rows_int(rows, 2), rows_int(rows, 3), rows_int(rows, 4)},
		.last_started_s = rows_int(rows, 5),
		.last_ended_s = rows_int(rows, 6),
		.last = {rows_int(rows, 7), rows_int(rows, 8), rows_int(rows, 9)}};
	if (out->begun)
		out->behind = rows_digest(rows, 1);
}

bool catalog_find_pass(struct catalog *catalog, enum pass_kind kind, struct pass *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	struct pass pass = {0};

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND], VALUES(v_text(kinds[kind])));
	if (rows_next(rows))
		read_pass(rows, &pass);
	if (!rows_done(rows, err))
		return false;
	*out = pass;
	return true;
}

bool catalog_write_pass(
	struct catalog *catalog, enum pass_kind kind, const struct pass *pass, struct err *err)
{
	const struct value behind = pass->begun ? v_digest(&pass->behind) : v_text(NULL);
	AUTO_TXN struct txn *txn = NULL;

	return db_write(catalog->db, &txn, err) &&
	       txn_run(txn, sql[WRITE],
		       VALUES(v_text(kinds[kind]), v_int(pass->started_s), behind, v_int(pass->sums.blobs),
			       v_int(pass->sums.bytes), v_int(pass->sums.damaged),
			       v_int(pass->last_started_s), v_int(pass->last_ended_s),
			       v_int(pass->last.blobs), v_int(pass->last.bytes), v_int(pass->last.damaged)),
		       err) &&
	       txn_commit(txn, err);
}

/* ---- blobs ---- */

static bool next_of(struct catalog *catalog, enum statement first, enum statement next,
	const struct digest *behind, struct pass_blob *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	struct pass_blob blob = {0};

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = behind ? txn_query(txn, sql[next], VALUES(v_digest(behind)))
					     : txn_query(txn, sql[first], NULL, 0);
	if (rows_next(rows))
		blob = (struct pass_blob){
			rows_int(rows, 0), rows_digest(rows, 1), rows_int(rows, 2), rows_int(rows, 3) != 0};
	if (!rows_done(rows, err))
		return false;
	*out = blob;
	return true;
}

bool catalog_next_blob(
	struct catalog *catalog, const struct digest *behind, struct pass_blob *out, struct err *err)
{
	return next_of(catalog, FIRST_BLOB, NEXT_BLOB, behind, out, err);
}

bool catalog_next_lost(
	struct catalog *catalog, const struct digest *behind, struct pass_blob *out, struct err *err)
{
	return next_of(catalog, FIRST_LOST, NEXT_LOST, behind, out, err);
}

bool catalog_measure_blobs(struct catalog *catalog, int64_t *out_blobs, int64_t *out_bytes, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t blobs = 0;
	int64_t bytes = 0;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[MEASURE], NULL, 0);
	if (rows_next(rows)) {
		blobs = rows_int(rows, 0);
		bytes = rows_int(rows, 1);
	}
	if (!rows_done(rows, err))
		return false;
	*out_blobs = blobs;
	*out_bytes = bytes;
	return true;
}

static bool read_name(struct rows *rows, struct name *out)
{
	*out = (struct name){.version = rows_int(rows, 1)};
	(void)snprintf(out->handle, sizeof out->handle, "%s", rows_text(rows, 0));
	return format_parse(rows_text(rows, 2), &out->format);
}

bool catalog_list_blob_names(
	struct catalog *catalog, int64_t blob_id, struct name **out, size_t *out_count, struct err *err)
{
	AUTO_FREE struct name *names = NULL;
	AUTO_TXN struct txn *txn = NULL;
	size_t count = 0;
	size_t capacity = 0;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_NAMES], VALUES(v_int(blob_id), v_int(PASS_NAMES_MAX)));
	while (rows_next(rows)) {
		MEM_GROW(names, count, capacity);
		count += read_name(rows, &names[count]);
	}
	if (!rows_done(rows, err))
		return false;
	*out = TAKE(names);
	*out_count = count;
	return true;
}

/* ---- what comes back ---- */

static bool find_lost(struct txn *txn, const struct digest *digest, int64_t *out_id, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_LOST_BLOB], VALUES(v_digest(digest)));

	*out_id = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

bool catalog_return_blob(
	struct catalog *catalog, const struct digest *digest, bool *returned, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t id;

	*returned = false;
	if (!db_write(catalog->db, &txn, err) || !find_lost(txn, digest, &id, err))
		return false;
	if (id == 0)
		return true;
	*returned = audit_return(txn, id, err) && blob_set_cached(txn, id, true, err) && txn_commit(txn, err);
	return *returned;
}

bool catalog_forget_all_blobs(struct catalog *catalog, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_write(catalog->db, &txn, err) && txn_run(txn, sql[FORGET_ALL], NULL, 0, err) &&
	       txn_run(txn, sql[REFRESH_ALL], NULL, 0, err) && txn_commit(txn, err);
}
