/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_outdated.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/store/catalog/catalog_records.h"
#include "server/store/catalog/catalog_versions.h"

enum { COUNTED_AT_ONCE = 1000 };

enum statement {
	COUNT,
	ARE_BEFORE,
	COUNT_BEFORE,
	ADVANCE,
	FIND,
	LIST_NAMES,
	IS_OUTDATED,
	DROP_FINDINGS,
	SETTLE
};

static const char *const sql[] = {
	[COUNT] = "SELECT coalesce(sum(inspections), 0) FROM safety_totals WHERE version < ?1",
	[ARE_BEFORE] = "SELECT 1 FROM safety_counting WHERE behind_id < last_id",
	[COUNT_BEFORE] =
		"INSERT INTO safety_totals (version, inspections) SELECT i.safety_version, count(*)"
		" FROM inspections i CROSS JOIN blobs b ON b.id = i.blob_id"
		" WHERE i.id > (SELECT behind_id FROM safety_counting)"
		"  AND i.id <= (SELECT min(behind_id + ?1, last_id) FROM safety_counting) AND b.cached = 1"
		" GROUP BY i.safety_version"
		" ON CONFLICT (version) DO UPDATE SET inspections = inspections + excluded.inspections",
	[ADVANCE] = "UPDATE safety_counting SET behind_id = min(behind_id + ?1, last_id)",
	[FIND] = "SELECT i.id, b.id, i.format, b.digest FROM inspections i"
		 " CROSS JOIN blobs b ON b.id = i.blob_id"
		 " WHERE i.id > ?1 AND i.safety_version < ?2 AND b.cached = 1 ORDER BY i.id LIMIT 1",
	[LIST_NAMES] = "SELECT m.handle, v.version, a.source, coalesce(h.decision, '') FROM artifacts a"
		       " JOIN versions v ON v.id = a.version_id JOIN modules m ON m.id = v.module_id"
		       " LEFT JOIN holds h ON h.version_id = v.id AND h.format = a.format"
		       " WHERE a.blob_id = ?1 AND a.format = ?2 AND a.unjudged = 0 AND v.state <> 'withdrawn'"
		       " ORDER BY m.handle, v.version",
	[IS_OUTDATED] = "SELECT 1 FROM inspections WHERE id = ?1 AND safety_version < ?2",
	[DROP_FINDINGS] = "DELETE FROM safety_findings WHERE inspection_id = ?1",
	[SETTLE] = "UPDATE inspections SET safety_version = ?2 WHERE id = ?1 AND safety_version < ?2",
};

bool catalog_count_outdated(struct catalog *catalog, int64_t *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t count;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[COUNT], VALUES(v_int(safety_version)));
	count = rows_next(rows) ? rows_int(rows, 0) : 0;
	if (!rows_done(rows, err))
		return false;
	*out = count;
	return true;
}

bool catalog_count_on(struct catalog *catalog, bool *more, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_has(catalog->db, sql[ARE_BEFORE], more, err))
		return false;
	return !*more || (db_write(catalog->db, &txn, err) &&
				 txn_run(txn, sql[COUNT_BEFORE], VALUES(v_int(COUNTED_AT_ONCE)), err) &&
				 txn_run(txn, sql[ADVANCE], VALUES(v_int(COUNTED_AT_ONCE)), err) &&
				 txn_commit(txn, err));
}

bool catalog_find_outdated(
	struct catalog *catalog, const struct outdated *behind, struct outdated *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	struct outdated item = {0};

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND], VALUES(v_int(behind->id), v_int(safety_version)));
	if (rows_next(rows)) {
		item = (struct outdated){.id = rows_int(rows, 0),
			.blob_id = rows_int(rows, 1),
			.digest = rows_digest(rows, 3)};
		if (!format_parse(rows_text(rows, 2), &item.format))
			return err_set(err, ERR_INTERNAL, "an examination is of no format");
	}
	if (!rows_done(rows, err))
		return false;
	*out = item;
	return true;
}

static void read_name(struct rows *rows, enum format format, struct outdated_name *out)
{
	*out = (struct outdated_name){.name = {.version = rows_int(rows, 1), .format = format},
		.is_published = rows_source(rows, 2) == SOURCE_PUBLISHED};
	(void)snprintf(out->name.handle, sizeof out->name.handle, "%s", rows_text(rows, 0));
	(void)hold_decision_parse(rows_text(rows, 3), &out->decision);
}

bool catalog_list_outdated_names(
	struct catalog *catalog, const struct outdated *item, struct outdated_names *out, struct err *err)
{
	AUTO(outdated_names_finish) struct outdated_names list = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(
		txn, sql[LIST_NAMES], VALUES(v_int(item->blob_id), v_text(formats[item->format].name)));
	while (rows_next(rows)) {
		MEM_GROW(list.items, list.count, list.capacity);
		read_name(rows, item->format, &list.items[list.count++]);
	}
	if (!rows_done(rows, err))
		return false;
	*out = list;
	list = (struct outdated_names){0};
	return true;
}

void outdated_names_finish(struct outdated_names *names)
{
	free(names->items);
	*names = (struct outdated_names){0};
}

/* ---- writing ---- */

static bool is_outdated(struct txn *txn, const struct outdated *item, bool *out, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[IS_OUTDATED], VALUES(v_int(item->id), v_int(safety_version)));

	*out = rows_next(rows);
	return rows_done(rows, err);
}

/* Nothing where somebody else was first. */
static bool replace_findings(
	struct txn *txn, const struct outdated *item, const struct safety_findings *findings, struct err *err)
{
	bool outdated;

	if (!is_outdated(txn, item, &outdated, err))
		return false;
	return !outdated || (txn_run(txn, sql[DROP_FINDINGS], VALUES(v_int(item->id)), err) &&
				    safety_record(txn, item->id, findings, err) &&
				    modules_refresh_of(txn, item->blob_id, item->format, err));
}

bool catalog_judge_anew(struct catalog *catalog, const struct outdated *item,
	const struct safety_findings *findings, struct late_hold *holds, size_t count, int64_t now_s,
	struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_write(catalog->db, &txn, err) || !replace_findings(txn, item, findings, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!hold_late(
			    txn, holds[i].name, &item->digest, holds[i].reason, now_s, &holds[i].held, err))
			return false;
	}
	return txn_commit(txn, err);
}

bool catalog_settle_outdated(struct catalog *catalog, const struct outdated *item, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_write(catalog->db, &txn, err) &&
	       txn_run(txn, sql[SETTLE], VALUES(v_int(item->id), v_int(safety_version)), err) &&
	       txn_commit(txn, err);
}
