/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_relisting.h"

#include <stdlib.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { FIND, FIND_SAME, MARK };

static const char *const sql[] = {
	[FIND] = "SELECT i.id, b.id, i.format, b.digest FROM inspections i JOIN blobs b ON b.id = i.blob_id"
		 " WHERE i.listed = 0 AND i.id > ?1 AND b.cached = 1 ORDER BY i.id LIMIT 1",
	[FIND_SAME] = "SELECT id FROM inspections WHERE blob_id = ?1 AND format = ?2 AND listed = 0",
	[MARK] = "UPDATE inspections SET listed = 1 WHERE id = ?1 AND listed = 0",
};

bool catalog_find_unlisted(struct catalog *catalog, int64_t behind_id, struct unlisted *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	struct unlisted item = {0};

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND], VALUES(v_int(behind_id)));
	if (rows_next(rows)) {
		const char *word = rows_text(rows, 2);

		item = (struct unlisted){.id = rows_int(rows, 0),
			.blob_id = rows_int(rows, 1),
			.digest = rows_digest(rows, 3)};
		if (!word || !format_parse(word, &item.format))
			return err_set(err, ERR_INTERNAL, "an examination is of no format");
	}
	*out = item;
	return rows_done(rows, err);
}

/* True with nothing done where somebody else was first. */
static bool record(struct txn *txn, int64_t id, const struct saved_model *model, struct err *err)
{
	if (!txn_run(txn, sql[MARK], VALUES(v_int(id)), err))
		return false;
	return txn_changes(txn) == 0 || !model || saved_model_record(txn, id, model, err);
}

bool inspection_list_late(struct txn *txn, int64_t blob_id, enum format format,
	const struct saved_model *model, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_SAME], VALUES(v_int(blob_id), v_text(formats[format].name)));
	int64_t id = rows_next(rows) ? rows_int(rows, 0) : 0;

	return rows_done(rows, err) && (id == 0 || record(txn, id, model, err));
}

bool catalog_record_listing(struct catalog *catalog, const struct unlisted *item,
	const struct saved_model *model, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_write(catalog->db, &txn, err) && record(txn, item->id, model, err) &&
	       (!model || modules_refresh_of(txn, item->blob_id, item->format, err)) && txn_commit(txn, err);
}
