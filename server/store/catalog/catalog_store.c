/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_store.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/store/catalog/catalog_rows.h"

enum statement {
	FIND_STORE,
	NOTE_STORE,
	NOTE_ELSEWHERE,
	KEEP_NONE,
	KEEP_PUBLISHED,
	HAS_MODULES,
	FORGET_NOTES,
	FORGET_SHARED
};

static const char *const sql[] = {
	[FIND_STORE] = "SELECT store_id, elsewhere FROM space",
	[NOTE_STORE] = "UPDATE space SET store_id = ?1",
	[NOTE_ELSEWHERE] = "UPDATE space SET elsewhere = ?1",
	[KEEP_NONE] = "UPDATE blobs SET published = 0 WHERE published = 1",
	[KEEP_PUBLISHED] =
		"UPDATE blobs SET published = 1 WHERE published = 0"
		" AND (EXISTS (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id"
		" WHERE a.blob_id = blobs.id AND a.source = 'published' AND v.state <> 'withdrawn'))",
	[HAS_MODULES] = "SELECT EXISTS (SELECT 1 FROM artifacts)"
			" OR EXISTS (SELECT 1 FROM versions WHERE state = 'withdrawn')",
	[FORGET_NOTES] = "DELETE FROM notes",
	[FORGET_SHARED] = "UPDATE tokens SET shared = 0 WHERE shared = 1",
};

struct standing {
	struct store_id store;
	bool elsewhere;
};

static bool read_standing(struct catalog *catalog, struct standing *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	*out = (struct standing){0};
	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_STORE], NULL, 0);
	if (rows_next(rows)) {
		(void)snprintf(out->store.text, sizeof out->store.text, "%s", rows_text(rows, 0));
		out->elsewhere = rows_int(rows, 1) != 0;
	}
	return rows_done(rows, err);
}

bool catalog_find_store(struct catalog *catalog, struct store_id *out, struct err *err)
{
	struct standing standing;

	if (!read_standing(catalog, &standing, err))
		return false;
	*out = standing.store;
	return true;
}

bool catalog_note_store(struct catalog *catalog, const struct store_id *store, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_write(catalog->db, &txn, err) &&
	       txn_run(txn, sql[NOTE_STORE], VALUES(v_text(store->text)), err) && txn_commit(txn, err);
}

/* What another bucket's notes were says nothing of this one's. */
static bool forget_notes(struct txn *txn, struct err *err)
{
	return txn_run(txn, sql[FORGET_NOTES], NULL, 0, err) &&
	       txn_run(txn, sql[FORGET_SHARED], NULL, 0, err);
}

static bool audit_joining(
	struct txn *txn, const struct store_id *before, const struct store_id *now, struct err *err)
{
	AUTO_FREE char *detail = mem_printf("before: %s", *before->text ? before->text : "the folder alone");

	return audit_record(txn,
		&(struct audit_row){.at = clock_now_s(),
			.action = "join-store",
			.subject = *now->text ? now->text : "the folder alone",
			.detail = detail},
		err);
}

static bool join_store(struct catalog *catalog, const struct store_id *store, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	bool elsewhere = *store->text != '\0';
	struct standing before;

	if (!read_standing(catalog, &before, err))
		return false;
	if (before.elsewhere == elsewhere && strcmp(before.store.text, store->text) == 0)
		return true;
	return db_write(catalog->db, &txn, err) &&
	       (strcmp(before.store.text, store->text) == 0 || forget_notes(txn, err)) &&
	       txn_run(txn, sql[NOTE_STORE], VALUES(v_text(store->text)), err) &&
	       txn_run(txn, sql[NOTE_ELSEWHERE], VALUES(v_int(elsewhere)), err) &&
	       txn_run(txn, sql[elsewhere ? KEEP_NONE : KEEP_PUBLISHED], NULL, 0, err) &&
	       audit_joining(txn, &before.store, store, err) && txn_commit(txn, err);
}

static bool has_modules(struct catalog *catalog, bool *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[HAS_MODULES], NULL, 0);
	*out = rows_next(rows) && rows_int(rows, 0);
	return rows_done(rows, err);
}

bool catalog_belong_to(struct catalog *catalog, const struct store_id *store, struct err *err)
{
	struct store_id before;
	bool some = false;

	if (!catalog_find_store(catalog, &before, err))
		return false;
	if (*store->text && strcmp(before.text, store->text) != 0) {
		if (!has_modules(catalog, &some, err))
			return false;
		if (some)
			return err_set(err, ERR_CONFLICT,
				"the data folder has modules that this bucket may not have: it is %s. Have "
				"\"larder store import\" send them there, or begin with an empty folder "
				"(storage.data_dir)",
				*before.text ? "another bucket's" : "no bucket's");
	}
	return join_store(catalog, store, err);
}
