/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/db_soundness.h"

#include <stdio.h>
#include <string.h>

#include "common/own.h"
#include "server/store/connection.h"
#include "server/store/db.h"
#include "server/store/statements.h"

static bool check_keys(struct txn *txn, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, "PRAGMA foreign_key_check", NULL, 0);
	char table[80] = "";

	if (rows_next(rows))
		(void)snprintf(table, sizeof table, "%s", rows_text(rows, 0));
	if (table[0])
		return err_set(err, ERR_INTERNAL, "a row of its table %s names one that is not there", table);
	return rows_done(rows, err);
}

static bool check_migrations(struct txn *txn, int64_t known, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, "PRAGMA user_version", NULL, 0);
	int64_t version = rows_next(rows) ? rows_int(rows, 0) : 0;

	if (!rows_done(rows, err))
		return false;
	return version <= known ||
	       err_set(err, ERR_INTERNAL,
		       "it has %lld migrations, and this Larder knows %lld: it is of a newer one",
		       (long long)version, (long long)known);
}

bool db_soundness_check(const char *path, int64_t known_migrations, struct err *err)
{
	AUTO_CONNECTION struct txn *txn = NULL;

	return connection_open(path, false, DB_PATIENCE_MS, &txn, err) &&
	       check_migrations(txn, known_migrations, err) && connection_check(txn, err) &&
	       check_keys(txn, err);
}
