/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_safety.h"

#include <stdlib.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/module/safety/safety_rules.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { FIND_INSPECTION, ADD_FINDING, LIST_FINDINGS, FIND_OLDER, SET_VERSION_ALONE, DROP_FINDINGS };

static const char *const sql[] = {
	[FIND_INSPECTION] =
		"SELECT i.id FROM blobs b JOIN inspections i ON i.blob_id = b.id AND i.format = ?2"
		" WHERE b.digest = ?1",
	[ADD_FINDING] = "INSERT INTO safety_findings (inspection_id, position, rule, severity, place, detail)"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[LIST_FINDINGS] = "SELECT rule, severity, place, detail FROM safety_findings"
			  " WHERE inspection_id = ?1 ORDER BY position",
	[FIND_OLDER] = "SELECT id FROM inspections WHERE blob_id = ?1 AND format = ?2"
		       " AND safety_version < ?3",
	[SET_VERSION_ALONE] =
		"UPDATE inspections SET safety_version = ?2 WHERE id = ?1 AND NOT EXISTS"
		" (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id JOIN modules m ON m.id = "
		"v.module_id"
		" WHERE a.blob_id = inspections.blob_id AND a.format = inspections.format AND a.unjudged = 0"
		" AND v.state <> 'withdrawn' AND (m.handle <> ?3 OR v.version <> ?4))",
	[DROP_FINDINGS] = "DELETE FROM safety_findings WHERE inspection_id = ?1",
};

bool safety_record(
	struct txn *txn, int64_t inspection_id, const struct safety_findings *findings, struct err *err)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct safety_finding *finding = &findings->items[i];
		const struct safety_rule *rule = &safety_rules[finding->rule];

		if (!txn_run(txn, sql[ADD_FINDING],
			    VALUES(v_int(inspection_id), v_int((int64_t)i), v_text(rule->name),
				    v_text(safety_severity_name(rule->severity)), v_text(finding->where),
				    v_text(finding->detail)),
			    err))
			return false;
	}
	return true;
}

bool safety_renew(struct txn *txn, int64_t blob_id, const struct name *name,
	const struct safety_findings *findings, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_OLDER],
		VALUES(v_int(blob_id), v_text(formats[name->format].name), v_int(safety_version)));
	int64_t id = rows_next(rows) ? rows_int(rows, 0) : 0;

	if (!rows_done(rows, err))
		return false;
	return id == 0 || (txn_run(txn, sql[DROP_FINDINGS], VALUES(v_int(id)), err) &&
				  txn_run(txn, sql[SET_VERSION_ALONE],
					  VALUES(v_int(id), v_int(safety_version), v_text(name->handle),
						  v_int(name->version)),
					  err) &&
				  safety_record(txn, id, findings, err) &&
				  modules_refresh_of(txn, blob_id, name->format, err));
}

bool safety_load(struct txn *txn, int64_t inspection_id, struct safety_rows *out, struct err *err)
{
	AUTO(safety_rows_finish) struct safety_rows list = {0};
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_FINDINGS], VALUES(v_int(inspection_id)));

	while (rows_next(rows)) {
		MEM_GROW(list.items, list.count, list.capacity);
		list.items[list.count++] = (struct safety_row){
			rows_dup(rows, 0), rows_dup(rows, 1), rows_dup(rows, 2), rows_dup(rows, 3)};
	}
	if (!rows_done(rows, err))
		return false;
	*out = list;
	list = (struct safety_rows){0};
	return true;
}

void safety_rows_finish(struct safety_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		free(rows->items[i].rule);
		free(rows->items[i].severity);
		free(rows->items[i].where);
		free(rows->items[i].detail);
	}
	free(rows->items);
	*rows = (struct safety_rows){0};
}

static bool find_inspection(
	struct txn *txn, const struct digest *digest, enum format format, int64_t *out, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_INSPECTION], VALUES(v_digest(digest), v_text(formats[format].name)));

	*out = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

bool catalog_find_safety(struct catalog *catalog, const struct digest *digest, enum format format,
	struct safety_rows *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t id;

	*out = (struct safety_rows){0};
	return db_read(catalog->db, &txn, err) && find_inspection(txn, digest, format, &id, err) &&
	       safety_load(txn, id, out, err);
}
