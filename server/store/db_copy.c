/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/db_copy.h"

#include <stdio.h>
#include <string.h>

#include "common/own.h"
#include "server/store/connection.h"
#include "server/store/db.h"
#include "server/store/statements.h"

enum { PAGES_AT_ONCE = 1024 };

static int64_t page_bytes(struct txn *txn)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, "PRAGMA page_size", NULL, 0);

	return rows_next(rows) ? rows_int(rows, 0) : 0;
}

/* Without a statement of its own a transaction of SQLite's has no snapshot yet. */
static bool take_snapshot(struct txn *from, struct err *err)
{
	return connection_execute(from, "BEGIN; SELECT count(*) FROM sqlite_schema", err);
}

static bool copy_pages(struct txn *from, struct txn *to, int64_t page,
	void (*progressed)(void *context, int64_t done_bytes, int64_t total_bytes), void *context,
	struct err *err)
{
	sqlite3_backup *backup = sqlite3_backup_init(to->handle, "main", from->handle, "main");
	int status = SQLITE_OK;

	if (!backup)
		return connection_failed(to, err);
	while (status == SQLITE_OK) {
		status = sqlite3_backup_step(backup, PAGES_AT_ONCE);
		if (progressed) {
			int64_t total = sqlite3_backup_pagecount(backup);

			progressed(context, (total - sqlite3_backup_remaining(backup)) * page, total * page);
		}
	}
	/* A file that another process has locked fails the step alone. */
	if (sqlite3_backup_finish(backup) != SQLITE_OK)
		return connection_failed(to, err);
	return status == SQLITE_DONE ||
	       err_set(err, ERR_BUSY, "database %.150s: %s", to->path, sqlite3_errstr(status));
}

bool db_copy(const char *from, const char *to,
	void (*progressed)(void *context, int64_t done_bytes, int64_t total_bytes), void *context,
	struct err *err)
{
	AUTO_CONNECTION struct txn *source = NULL;
	AUTO_CONNECTION struct txn *target = NULL;

	return connection_open(from, false, DB_PATIENCE_MS, &source, err) &&
	       connection_open(to, true, DB_PATIENCE_MS, &target, err) && take_snapshot(source, err) &&
	       copy_pages(source, target, page_bytes(source), progressed, context, err) &&
	       connection_check(target, err);
}
