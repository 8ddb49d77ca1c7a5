/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection to an SQLite file, with the statements that it has prepared, and what it says of failures. For
 * the rooms beside it only. */
#ifndef SERVER_STORE_CONNECTION_H
#define SERVER_STORE_CONNECTION_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/list.h"
#include "common/own.h"

struct db;

enum { CONNECTION_STATEMENTS_MAX = 256 }; /* a power of two */

struct rows {
	const char *sql;
	sqlite3_stmt *statement;
	struct txn *txn;
	bool in_use;
	bool ended;
	bool failed;
};

struct txn {
	struct db *db;    /* the db's to set and to use, as is link */
	const char *path; /* for words about failures; must outlive it */
	sqlite3 *handle;
	bool is_writer;
	struct err failure;  /* of the statement that failed last */
	struct rows refused; /* stands for a statement that could not be given out */
	struct rows statements[CONNECTION_STATEMENTS_MAX];
	struct list_link link;
};

/* The writer's makes the file. close takes NULL. */
bool connection_open(
	const char *path, bool is_writer, int64_t patience_ms, struct txn **out, struct err *err);
void connection_close(struct txn *txn);
AUTO_CLEANER(own_connection, struct txn *, connection_close)
#define AUTO_CONNECTION AUTO(own_connection)

/* Has the file keep a write-ahead log. */
bool connection_enter_wal(struct txn *txn, int64_t patience_ms, struct err *err);

/* Runs a script of statements without values. */
bool connection_execute(struct txn *txn, const char *script, struct err *err);

/* Whether all of its pages are sound (PRAGMA quick_check). ERR_INTERNAL where they are not. */
bool connection_check(struct txn *txn, struct err *err);

/* Says in *err what the connection failed at last. Always false. */
bool connection_failed(const struct txn *txn, struct err *err);

#endif
