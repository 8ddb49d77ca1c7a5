/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_opening.h"

#include "common/clock.h"
#include "common/mem.h"
#include "server/store/search/search.h"
#include "server/store/catalog/catalog_rows.h"
#include "server/store/db_soundness.h"

enum statement { WRITE_HEALTH };

static const char *const sql[] = {
	[WRITE_HEALTH] =
		"INSERT INTO health (id, checked_at) VALUES (1, ?1)"
		" ON CONFLICT (id) DO UPDATE SET checked_at = excluded.checked_at RETURNING checked_at",
};

bool catalog_open(const char *data_dir, struct catalog **out, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/larder.db", data_dir);
	AUTO_DB struct db *db = NULL;
	struct catalog *catalog;

	if (!db_open(path, catalog_migrations, catalog_migration_count, &db, err))
		return false;
	catalog = mem_zero(1, sizeof *catalog);
	catalog->db = TAKE(db);
	catalog->search = search_create();
	*out = catalog;
	return true;
}

void catalog_close(struct catalog *catalog)
{
	if (!catalog)
		return;
	search_destroy(catalog->search);
	db_close(catalog->db);
	free(catalog);
}

bool catalog_check(struct catalog *catalog, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_try_write(catalog->db, &txn, err))
		return false;
	/* What others write just now is not waited for: it will tell as well. */
	return !txn ||
	       (txn_run(txn, sql[WRITE_HEALTH], VALUES(v_int(clock_now_s())), err) && txn_commit(txn, err));
}

bool catalog_examine(const char *data_dir, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/larder.db", data_dir);

	return db_soundness_check(path, (int64_t)catalog_migration_count, err);
}

bool catalog_is_free(struct catalog *catalog)
{
	return db_is_free(catalog->db);
}
