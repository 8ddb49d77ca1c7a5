/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_notes.h"

#include "server/store/catalog/catalog_rows.h"

enum statement { CLAIM, FIND_LATER, FIND_REVISION };

static const char *const sql[] = {
	[CLAIM] =
		"INSERT INTO notes (topic, subject, version, revision) VALUES (?1, ?2, ?3, ?4)"
		" ON CONFLICT DO UPDATE SET revision = excluded.revision WHERE excluded.revision > revision",
	[FIND_LATER] = "SELECT 1 FROM notes WHERE topic = ?1 AND subject = ?2 AND version = ?3"
		       " AND revision >= ?4",
	[FIND_REVISION] = "SELECT revision FROM notes WHERE topic = ?1 AND subject = ?2 AND version = ?3",
};

bool note_claim(struct txn *txn, const struct note_taken *note, bool *news, struct err *err)
{
	*news = true;
	if (note->revision == 0)
		return true;
	if (!txn_run(txn, sql[CLAIM],
		    VALUES(v_text(note->topic), v_text(note->subject), v_int(note->version),
			    v_int(note->revision)),
		    err))
		return false;
	*news = txn_changes(txn) > 0;
	return true;
}

bool note_is_news(struct txn *txn, const struct note_taken *note, bool *news, struct err *err)
{
	AUTO_ROWS struct rows *rows = NULL;

	*news = true;
	if (note->revision == 0)
		return true;
	rows = txn_query(txn, sql[FIND_LATER],
		VALUES(v_text(note->topic), v_text(note->subject), v_int(note->version),
			v_int(note->revision)));
	*news = !rows_next(rows);
	return rows_done(rows, err);
}

bool catalog_find_note(struct catalog *catalog, const char *topic, const char *subject, int64_t version,
	int64_t *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_REVISION], VALUES(v_text(topic), v_text(subject), v_int(version)));
	*out = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}
