/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_inventory.h"

#include "server/store/catalog/catalog_records.h"

enum statement { LIST_ARTIFACTS };

static const char *const sql[] = {
	[LIST_ARTIFACTS] = "SELECT v.state, a.format, b.digest, b.size_bytes, b.cached, " FORMAT_STATE
			   " FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = ?2"
			   " LEFT JOIN artifacts a ON a.version_id = v.id"
			   " LEFT JOIN holds h ON h.version_id = v.id AND h.format = a.format"
			   " LEFT JOIN blobs b ON b.id = a.blob_id WHERE m.handle = ?1 ORDER BY a.format",
};

static void take_artifact(struct rows *rows, struct inventory_row *out)
{
	struct inventory_artifact *artifact = &out->artifacts[out->artifact_count];

	if (rows_is_null(rows, 2) || out->artifact_count == FORMAT_COUNT ||
		!format_parse(rows_text(rows, 1), &artifact->format))
		return;
	artifact->digest = rows_digest(rows, 2);
	artifact->size_bytes = rows_int(rows, 3);
	artifact->cached = rows_int(rows, 4) != 0;
	artifact->state = rows_state(rows, 5);
	out->artifact_count++;
}

static bool take_version(struct txn *txn, const struct name *name, struct inventory_row *out, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_ARTIFACTS], VALUES(v_text(name->handle), v_int(name->version)));

	*out = (struct inventory_row){0};
	while (rows_next(rows)) {
		out->found = true;
		out->state = rows_state(rows, 0);
		take_artifact(rows, out);
	}
	return rows_done(rows, err);
}

bool catalog_take_inventory(struct catalog *catalog, const struct name *names, size_t count,
	struct inventory_row *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!take_version(txn, &names[i], &out[i], err))
			return false;
	}
	return true;
}
