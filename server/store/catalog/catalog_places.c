/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_places.h"

#include <string.h>

#include "server/store/catalog/catalog_rows.h"

enum statement { FIND, SET, DROP, FORGET_ABSENT, LIST };

static const char *const sql[] = {
	[FIND] = "SELECT place = ?3 AND place_version = ?4 FROM kaggle_places WHERE handle = ?1 AND version "
		 "= ?2",
	[SET] = "INSERT INTO kaggle_places (handle, version, place, place_version) VALUES (?1, ?2, ?3, ?4)"
		" ON CONFLICT (handle, version) DO UPDATE"
		" SET place = excluded.place, place_version = excluded.place_version",
	[DROP] = "DELETE FROM kaggle_places WHERE handle = ?1 AND version = ?2",
	[FORGET_ABSENT] = "DELETE FROM absences WHERE handle = ?1 AND (?2 = 0 OR version = ?2)",
	[LIST] = "SELECT handle, version, place, place_version FROM kaggle_places",
};

static bool look(struct txn *txn, const struct value *values, enum docs_outcome *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND], values, 4);

	*out = !rows_next(rows) ? DOCS_NEW : rows_int(rows, 0) ? DOCS_SAME : DOCS_CHANGED;
	return rows_done(rows, err);
}

bool docs_import_place(struct docs_import *import, const struct name *old, const struct name *place,
	enum docs_outcome *out, struct err *err)
{
	const struct value values[] = {
		v_text(old->handle), v_int(old->version), v_text(place->handle), v_int(place->version)};
	struct txn *txn = docs_import_txn(import);

	if (!look(txn, values, out, err))
		return false;
	return *out == DOCS_SAME || (txn_run(txn, sql[SET], values, 4, err) &&
					    txn_run(txn, sql[FORGET_ABSENT],
						    VALUES(v_text(old->handle), v_int(old->version)), err));
}

bool docs_import_drop_place(struct docs_import *import, const struct name *old, struct err *err)
{
	return txn_run(
		docs_import_txn(import), sql[DROP], VALUES(v_text(old->handle), v_int(old->version)), err);
}

static bool read_name(struct rows *rows, int column, struct name *out)
{
	const char *handle = rows_text(rows, column);

	*out = (struct name){.version = rows_int(rows, column + 1)};
	if (!handle || strlen(handle) >= sizeof out->handle)
		return false;
	(void)strcpy(out->handle, handle);
	return true;
}

bool catalog_each_place(struct catalog *catalog,
	bool (*take)(void *context, const struct name *old, const struct name *place, struct err *err),
	void *context, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	struct name old, place;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST], NULL, 0);
	while (rows_next(rows)) {
		if (read_name(rows, 0, &old) && read_name(rows, 2, &place) &&
			!take(context, &old, &place, err))
			return false;
	}
	return rows_done(rows, err);
}
