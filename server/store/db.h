/* SPDX-License-Identifier: Apache-2.0
 *
 * One SQLite file: its migrations, one writer connection and a pool of readers, which are handed out as
 * transactions. Knows no table. Other processes may use the same file. */
#ifndef SERVER_STORE_DB_H
#define SERVER_STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/store/statements.h"

struct db;

/* One step of the schema; the n-th of a table brings a database to user_version n. */
struct migration {
	const char *name;
	const char *sql;
	const char
		*whole; /* what an empty database is given in place of this and all steps before; or NULL */
};

/* Opens or creates the file and applies the migrations that it lacks, each in one transaction. Refuses a file
 * with more migrations than these. Everything here fails with ERR_NO_SPACE, ERR_BUSY (another process held
 * the file for ten seconds) or ERR_INTERNAL with SQLite's own words. close takes NULL; no transaction may be
 * open then. */
bool db_open(
	const char *path, const struct migration *migrations, size_t count, struct db **out, struct err *err);
void db_close(struct db *db);
AUTO_CLEANER(own_db, struct db *, db_close)
#define AUTO_DB AUTO(own_db)

/* ---- transactions ---- */

/* Begins a consistent snapshot; it never waits for the writer, and for another reader only when all
 * connections are out. A thread holds one transaction at a time. */
bool db_read(struct db *db, struct txn **out, struct err *err);

/* Whether a query without values has a row, by a snapshot of its own. */
bool db_has(struct db *db, const char *text, bool *out, struct err *err);

/* Begins the one writing transaction, after those of other threads and processes. */
bool db_write(struct db *db, struct txn **out, struct err *err);

/* The same; ERR_BUSY where another process has the file for so long already. db_write's patience is ten
 * seconds. */
enum { DB_PATIENCE_MS = 10000, DB_MOMENT_MS = 250 };
bool db_write_within(struct db *db, int64_t patience_ms, struct txn **out, struct err *err);

/* The same, but *out is NULL where another thread is writing, which is not waited for. */
bool db_try_write(struct db *db, struct txn **out, struct err *err);

/* Whether no other process is writing just now; waits for this one's threads only. */
bool db_is_free(struct db *db);

/* A part of a writing transaction that can be taken back alone; one at a time. Dropping answers false where
 * the whole transaction is gone, as it is after some failures. */
bool txn_begin_part(struct txn *txn, struct err *err);
bool txn_keep_part(struct txn *txn, struct err *err);
bool txn_drop_part(struct txn *txn);

/* Makes what was written durable; the transaction takes no more statements then. */
bool txn_commit(struct txn *txn, struct err *err);

/* Gives the connection back, and rolls back what was not committed. Takes NULL. */
void txn_end(struct txn *txn);
AUTO_CLEANER(own_txn, struct txn *, txn_end)
#define AUTO_TXN AUTO(own_txn)

#endif
