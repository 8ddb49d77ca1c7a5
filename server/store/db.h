/* SPDX-License-Identifier: Apache-2.0
 *
 * One SQLite file: its migrations, one writer connection, a pool of readers, and a small way to bind values
 * and read rows. Owns the connections and their prepared statements; knows no table. Other processes may use
 * the same file. */
#ifndef SERVER_STORE_DB_H
#define SERVER_STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"

struct db;

/* One step of the schema; the n-th of a table brings a database to user_version n. */
struct migration {
	const char *name;
	const char *sql;
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

/* A connection in the hands of one thread, within a transaction. */
struct txn;

/* Begins a consistent snapshot; it never waits for the writer, and for another reader only when all
 * connections are out. A thread holds one transaction at a time. */
bool db_read(struct db *db, struct txn **out, struct err *err);

/* Begins the one writing transaction, after those of other threads and processes. */
bool db_write(struct db *db, struct txn **out, struct err *err);

/* The same; ERR_BUSY where another process has the file for so long already. db_write's patience is ten
 * seconds. */
enum { DB_PATIENCE_MS = 10000, DB_MOMENT_MS = 250 };
bool db_write_within(struct db *db, int64_t patience_ms, struct txn **out, struct err *err);

/* The same, but *out is NULL where another thread is writing, which is not waited for. */
bool db_try_write(struct db *db, struct txn **out, struct err *err);

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

/* ---- values ---- */

struct value {
	enum { VALUE_NULL, VALUE_INTEGER, VALUE_TEXT, VALUE_BYTES } kind;
	int64_t integer;
	const void *bytes;
	size_t length;
};

static inline struct value v_int(int64_t integer)
{
	return (struct value){.kind = VALUE_INTEGER, .integer = integer};
}

/* NULL becomes SQL's NULL. */
static inline struct value v_text(const char *text)
{
	return text ? (struct value){.kind = VALUE_TEXT, .bytes = text, .length = strlen(text)}
		    : (struct value){.kind = VALUE_NULL};
}

static inline struct value v_bytes(const void *bytes, size_t length)
{
	return (struct value){.kind = VALUE_BYTES, .bytes = bytes, .length = length};
}

static inline struct value v_digest(const struct digest *digest)
{
	return v_bytes(digest->bytes, sizeof digest->bytes);
}

/* The values of ?1, ?2 …, as two arguments of the calls below: VALUES(v_text(handle), v_int(version)). */
#define VALUES(...) \
	(const struct value[]){__VA_ARGS__}, \
		sizeof((const struct value[]){__VA_ARGS__}) / sizeof(struct value)

/* Whether no other process is writing just now; waits for this one's threads only. */
bool db_is_free(struct db *db);

/* ---- statements ---- */

/* A statement that is running. Whatever fails shows once, in rows_done(). */
struct rows;

/* Starts a statement; never NULL. sql is a constant: its address names the prepared statement, which the
 * connection keeps. The values must live as long as the rows. */
struct rows *txn_query(struct txn *txn, const char *sql, const struct value *values, size_t count);

/* Goes to the next row; false at the end and on failure. */
bool rows_next(struct rows *rows);

/* Whether all went well so far; call it after the last rows_next(). */
bool rows_done(struct rows *rows, struct err *err);
void rows_finish(struct rows *rows);
AUTO_CLEANER(own_rows, struct rows *, rows_finish)
#define AUTO_ROWS AUTO(own_rows)

/* Columns of the current row, from 0. Text is valid until the next row and NULL for SQL's NULL; dup is the
 * caller's. */
int64_t rows_int(struct rows *rows, int column);
const char *rows_text(struct rows *rows, int column);
char *rows_dup(struct rows *rows, int column);
bool rows_is_null(struct rows *rows, int column);
/* Copies exactly length bytes; where the column has another length, they are zero and rows_done() will fail.
 */
void rows_bytes(struct rows *rows, int column, void *out, size_t length);
struct digest rows_digest(struct rows *rows, int column);

/* Runs a statement to its end, ignoring its rows. */
bool txn_run(struct txn *txn, const char *sql, const struct value *values, size_t count, struct err *err);

/* How many rows the last INSERT, UPDATE or DELETE touched; the id that the last INSERT made. */
int64_t txn_changes(struct txn *txn);
int64_t txn_last_id(struct txn *txn);

#endif
