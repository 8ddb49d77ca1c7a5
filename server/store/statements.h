/* SPDX-License-Identifier: Apache-2.0
 *
 * A small way to bind values to statements of SQL and to read rows, within a transaction. */
#ifndef SERVER_STORE_STATEMENTS_H
#define SERVER_STORE_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"

/* A connection in the hands of one thread, within a transaction. */
struct txn;

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
