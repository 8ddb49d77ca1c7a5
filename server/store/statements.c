/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/statements.h"

#include <stdlib.h>

#include "common/mem.h"
#include "server/store/connection.h"

static struct rows *refuse(struct txn *txn, const char *why, const char *text)
{
	txn->refused = (struct rows){.txn = txn, .ended = true, .failed = true};
	(void)err_set(&txn->failure, ERR_INTERNAL, "%s: %s", why, text);
	return &txn->refused;
}

/* The slot that has, or is to have, the statement of this text. NULL when the table is full. */
static struct rows *find_slot(struct txn *txn, const char *text)
{
	size_t start = ((uintptr_t)text >> 3) % CONNECTION_STATEMENTS_MAX;

	for (size_t i = 0; i < CONNECTION_STATEMENTS_MAX; i++) {
		struct rows *slot = &txn->statements[(start + i) % CONNECTION_STATEMENTS_MAX];

		if (!slot->sql)
			slot->sql = text;
		if (slot->sql == text)
			return slot;
	}
	return NULL;
}

static void mark_failed(struct rows *rows)
{
	(void)connection_failed(rows->txn, &rows->txn->failure);
	rows->failed = true;
	rows->ended = true;
}

static int bind(sqlite3_stmt *statement, int place, const struct value *value)
{
	switch (value->kind) {
	case VALUE_INTEGER:
		return sqlite3_bind_int64(statement, place, value->integer);
	case VALUE_TEXT:
		return sqlite3_bind_text64(
			statement, place, value->bytes, value->length, SQLITE_STATIC, SQLITE_UTF8);
	case VALUE_BYTES:
		return sqlite3_bind_blob64(statement, place, value->bytes, value->length, SQLITE_STATIC);
	default:
		return sqlite3_bind_null(statement, place);
	}
}

static bool prepare(struct rows *rows)
{
	return rows->statement || sqlite3_prepare_v3(rows->txn->handle, rows->sql, -1,
					  SQLITE_PREPARE_PERSISTENT, &rows->statement, NULL) == SQLITE_OK;
}

struct rows *txn_query(struct txn *txn, const char *text, const struct value *values, size_t count)
{
	struct rows *rows = find_slot(txn, text);

	if (!rows)
		return refuse(txn, "more statements than a connection keeps", text);
	if (rows->in_use)
		return refuse(txn, "this statement is running already", text);
	rows->txn = txn;
	rows->in_use = true;
	rows->ended = rows->failed = false;
	if (!prepare(rows))
		mark_failed(rows);
	for (size_t i = 0; i < count && !rows->failed; i++) {
		if (bind(rows->statement, (int)i + 1, &values[i]) != SQLITE_OK)
			mark_failed(rows);
	}
	return rows;
}

bool rows_next(struct rows *rows)
{
	int status;

	if (rows->ended)
		return false;
	status = sqlite3_step(rows->statement);
	if (status == SQLITE_ROW)
		return true;
	rows->ended = true;
	if (status != SQLITE_DONE)
		mark_failed(rows);
	return false;
}

bool rows_done(struct rows *rows, struct err *err)
{
	if (!rows->failed)
		return true;
	*err = rows->txn->failure;
	return false;
}

void rows_finish(struct rows *rows)
{
	if (!rows)
		return;
	if (rows->statement) {
		(void)sqlite3_reset(rows->statement);
		(void)sqlite3_clear_bindings(rows->statement);
	}
	rows->in_use = false;
}

int64_t rows_int(struct rows *rows, int column)
{
	return sqlite3_column_int64(rows->statement, column);
}

bool rows_is_null(struct rows *rows, int column)
{
	return sqlite3_column_type(rows->statement, column) == SQLITE_NULL;
}

const char *rows_text(struct rows *rows, int column)
{
	const char *text;

	if (rows_is_null(rows, column))
		return NULL;
	text = (const char *)sqlite3_column_text(rows->statement, column);
	if (text)
		return text;
	/* Memory is exhausted: a caller can go on with this until rows_done() tells. */
	mark_failed(rows);
	return "";
}

char *rows_dup(struct rows *rows, int column)
{
	return mem_dup(rows_text(rows, column));
}

void rows_bytes(struct rows *rows, int column, void *out, size_t length)
{
	const void *bytes = sqlite3_column_blob(rows->statement, column);
	int found = sqlite3_column_bytes(rows->statement, column);

	memset(out, 0, length);
	if (bytes && (size_t)found == length) {
		memcpy(out, bytes, length);
		return;
	}
	(void)err_set(&rows->txn->failure, ERR_INTERNAL, "database %s: column %s has %d bytes, not %zu",
		rows->txn->path, sqlite3_column_name(rows->statement, column), found, length);
	rows->failed = rows->ended = true;
}

struct digest rows_digest(struct rows *rows, int column)
{
	uint8_t bytes[32];

	rows_bytes(rows, column, bytes, sizeof bytes);
	return digest_from_bytes(bytes);
}

bool txn_run(struct txn *txn, const char *text, const struct value *values, size_t count, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, text, values, count);

	while (rows_next(rows)) {
	}
	return rows_done(rows, err);
}

int64_t txn_changes(struct txn *txn)
{
	return sqlite3_changes64(txn->handle);
}

int64_t txn_last_id(struct txn *txn)
{
	return sqlite3_last_insert_rowid(txn->handle);
}
