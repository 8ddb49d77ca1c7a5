/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

enum { BUSY_RETRY_MS = 10, CHECK_WORDS_SIZE = 100 };

static const char pragmas[] = "PRAGMA foreign_keys = ON;"
			      "PRAGMA synchronous = FULL;"
			      "PRAGMA temp_store = MEMORY;"
			      "PRAGMA trusted_schema = OFF;"
			      "PRAGMA journal_size_limit = 67108864;";
/* Readers are many and read little at a time. */
static const char reader_pragmas[] = "PRAGMA query_only = ON;"
				     "PRAGMA cache_size = -512;";

/* ---- failures ---- */

static bool is_out_of_space(sqlite3 *handle, int primary)
{
	int number = sqlite3_system_errno(handle);

	if (primary == SQLITE_FULL)
		return true;
	return (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) &&
	       (number == ENOSPC || number == EDQUOT);
}

static bool is_out_of_descriptors(sqlite3 *handle)
{
	int number = sqlite3_system_errno(handle);

	return number == EMFILE || number == ENFILE;
}

bool connection_failed(const struct txn *txn, struct err *err)
{
	int primary = sqlite3_extended_errcode(txn->handle) & 0xff;
	const char *words = sqlite3_errmsg(txn->handle);

	if (is_out_of_space(txn->handle, primary))
		return err_set(err, ERR_NO_SPACE, "no room for the database %s: %s", txn->path, words);
	if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
		(void)err_set(err, ERR_BUSY, "another process has the database %s, and does not let go: %s",
			txn->path, words);
		err->retry_after_s = 1;
		return false;
	}
	if (primary == SQLITE_CANTOPEN && is_out_of_descriptors(txn->handle))
		return err_set(err, ERR_BUSY, "no descriptor is left for the database: %s", words);
	return err_set(err, ERR_INTERNAL, "database %s: %s", txn->path, words);
}

bool connection_execute(struct txn *txn, const char *script, struct err *err)
{
	return sqlite3_exec(txn->handle, script, NULL, NULL, NULL) == SQLITE_OK ||
	       connection_failed(txn, err);
}

/* ---- the connection ---- */

void connection_close(struct txn *txn)
{
	if (!txn)
		return;
	for (size_t i = 0; i < CONNECTION_STATEMENTS_MAX; i++)
		(void)sqlite3_finalize(txn->statements[i].statement);
	(void)sqlite3_close(txn->handle);
	free(txn);
}

bool connection_open(const char *path, bool is_writer, int64_t patience_ms, struct txn **out, struct err *err)
{
	AUTO_CONNECTION struct txn *txn = mem_zero(1, sizeof *txn);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (is_writer ? SQLITE_OPEN_CREATE : 0);

	txn->path = path;
	txn->is_writer = is_writer;
	if (sqlite3_open_v2(path, &txn->handle, flags, NULL) != SQLITE_OK)
		return connection_failed(txn, err);
	(void)sqlite3_busy_timeout(txn->handle, (int)patience_ms);
	(void)sqlite3_db_config(txn->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (!connection_execute(txn, pragmas, err) ||
		(!is_writer && !connection_execute(txn, reader_pragmas, err)))
		return false;
	*out = TAKE(txn);
	return true;
}

static int note_wal(void *context, int count, char **columns, char **names)
{
	(void)names;
	*(bool *)context = count == 1 && columns[0] && strcmp(columns[0], "wal") == 0;
	return 0;
}

/* SQLite calls no busy handler for this change, and another process may make it at the same time. */
bool connection_enter_wal(struct txn *txn, int64_t patience_ms, struct err *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + patience_ms;
	bool is_wal = false;
	int status;

	while ((status = sqlite3_exec(txn->handle, "PRAGMA journal_mode = WAL", note_wal, &is_wal, NULL)) ==
			SQLITE_BUSY &&
		clock_monotonic_ms() < deadline_ms)
		(void)sqlite3_sleep(BUSY_RETRY_MS);
	if (status != SQLITE_OK)
		return connection_failed(txn, err);
	if (!is_wal)
		return err_set(err, ERR_INTERNAL,
			"database %s: this file system cannot hold a write-ahead log", txn->path);
	return true;
}

/* Without a row it is damaged too badly for that. */
static int note_words(void *context, int count, char **columns, char **names)
{
	(void)names;
	(void)snprintf(context, CHECK_WORDS_SIZE, "%s", count > 0 && columns[0] ? columns[0] : "?");
	return 0;
}

bool connection_check(struct txn *txn, struct err *err)
{
	char words[CHECK_WORDS_SIZE] = "?";

	if (sqlite3_exec(txn->handle, "PRAGMA quick_check(1)", note_words, words, NULL) != SQLITE_OK)
		return connection_failed(txn, err);
	return strcmp(words, "ok") == 0 ||
	       err_set(err, ERR_INTERNAL, "the database %.120s is damaged: %s", txn->path, words);
}
