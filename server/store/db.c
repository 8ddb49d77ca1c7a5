/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/db.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/mem.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"db", RANK_DB};
static const struct lock_place writing_place = {"db writing", RANK_DB_WRITING, .slow = true};

enum {
	READERS_MAX = 16,
	STATEMENTS_MAX = 256, /* a power of two */
	BUSY_RETRY_MS = 10
};

struct rows {
	const char *sql;
	sqlite3_stmt *statement;
	struct txn *txn;
	bool in_use;
	bool ended;
	bool failed;
};

struct txn {
	struct db *db;
	sqlite3 *handle;
	bool is_writer;
	struct err failure;  /* of the statement that failed last */
	struct rows refused; /* stands for a statement that could not be given out */
	struct rows statements[STATEMENTS_MAX];
	struct txn *next;
};

struct db {
	struct lock mutex; /* guards idle and reader_count */
	pthread_cond_t returned;
	struct txn *idle;
	size_t reader_count;
	struct lock writing; /* held from db_write() to txn_end(): guards *writer */
	struct txn *writer;
	char *path;
};

static const char pragmas[] = "PRAGMA foreign_keys = ON;"
			      "PRAGMA synchronous = FULL;"
			      "PRAGMA temp_store = MEMORY;"
			      "PRAGMA trusted_schema = OFF;"
			      "PRAGMA journal_size_limit = 67108864;";
/* Readers are many and read little at a time. */
static const char reader_pragmas[] = "PRAGMA query_only = ON;"
				     "PRAGMA cache_size = -512;";

enum statement { BEGIN_READING, BEGIN_WRITING, COMMIT, ROLLBACK, BEGIN_PART, KEEP_PART, DROP_PART };
static const char *const sql[] = {
	[BEGIN_READING] = "BEGIN",
	[BEGIN_WRITING] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[BEGIN_PART] = "SAVEPOINT part",
	[KEEP_PART] = "RELEASE part",
	[DROP_PART] = "ROLLBACK TO part",
};

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

/* Says in *err what the connection failed at last. Always false. */
static bool failed(const struct txn *txn, struct err *err)
{
	int primary = sqlite3_extended_errcode(txn->handle) & 0xff;
	const char *words = sqlite3_errmsg(txn->handle);

	if (is_out_of_space(txn->handle, primary))
		return err_set(err, ERR_NO_SPACE, "no room for the database %s: %s", txn->db->path, words);
	if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
		(void)err_set(err, ERR_BUSY, "another process has the database %s, and does not let go: %s",
			txn->db->path, words);
		err->retry_after_s = 1;
		return false;
	}
	if (primary == SQLITE_CANTOPEN && is_out_of_descriptors(txn->handle))
		return err_set(err, ERR_BUSY, "no descriptor is left for the database: %s", words);
	return err_set(err, ERR_INTERNAL, "database %s: %s", txn->db->path, words);
}

static bool execute(struct txn *txn, const char *script, struct err *err)
{
	return sqlite3_exec(txn->handle, script, NULL, NULL, NULL) == SQLITE_OK || failed(txn, err);
}

/* ---- statements ---- */

static struct rows *refuse(struct txn *txn, const char *why, const char *text)
{
	txn->refused = (struct rows){.txn = txn, .ended = true, .failed = true};
	(void)err_set(&txn->failure, ERR_INTERNAL, "%s: %s", why, text);
	return &txn->refused;
}

/* The slot that has, or is to have, the statement of this text. NULL when the table is full. */
static struct rows *find_slot(struct txn *txn, const char *text)
{
	size_t start = ((uintptr_t)text >> 3) % STATEMENTS_MAX;

	for (size_t i = 0; i < STATEMENTS_MAX; i++) {
		struct rows *slot = &txn->statements[(start + i) % STATEMENTS_MAX];

		if (!slot->sql)
			slot->sql = text;
		if (slot->sql == text)
			return slot;
	}
	return NULL;
}

static void mark_failed(struct rows *rows)
{
	(void)failed(rows->txn, &rows->txn->failure);
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
		rows->txn->db->path, sqlite3_column_name(rows->statement, column), found, length);
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

/* ---- connections ---- */

static void disconnect(struct txn *txn)
{
	if (!txn)
		return;
	for (size_t i = 0; i < STATEMENTS_MAX; i++)
		(void)sqlite3_finalize(txn->statements[i].statement);
	(void)sqlite3_close(txn->handle);
	free(txn);
}
AUTO_CLEANER(own_connection, struct txn *, disconnect)

static bool connect_to(struct db *db, bool is_writer, struct txn **out, struct err *err)
{
	AUTO(own_connection) struct txn *txn = mem_zero(1, sizeof *txn);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (is_writer ? SQLITE_OPEN_CREATE : 0);

	txn->db = db;
	txn->is_writer = is_writer;
	if (sqlite3_open_v2(db->path, &txn->handle, flags, NULL) != SQLITE_OK)
		return failed(txn, err);
	(void)sqlite3_busy_timeout(txn->handle, DB_PATIENCE_MS);
	(void)sqlite3_db_config(txn->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (!execute(txn, pragmas, err) || (!is_writer && !execute(txn, reader_pragmas, err)))
		return false;
	*out = TAKE(txn);
	return true;
}

/* Answers a PRAGMA or SELECT of one number, before there is a transaction. */
static bool ask_number(struct txn *txn, const char *text, int64_t *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, text, NULL, 0);
	int64_t number = rows_next(rows) ? rows_int(rows, 0) : 0;

	if (!rows_done(rows, err))
		return false;
	*out = number;
	return true;
}

static int note_wal(void *context, int count, char **columns, char **names)
{
	(void)names;
	*(bool *)context = count == 1 && columns[0] && strcmp(columns[0], "wal") == 0;
	return 0;
}

/* SQLite calls no busy handler for this change, and another process may make it at the same time. */
static bool enter_wal(struct txn *txn, struct err *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + DB_PATIENCE_MS;
	bool is_wal = false;
	int status;

	while ((status = sqlite3_exec(txn->handle, "PRAGMA journal_mode = WAL", note_wal, &is_wal, NULL)) ==
			SQLITE_BUSY &&
		clock_monotonic_ms() < deadline_ms)
		(void)sqlite3_sleep(BUSY_RETRY_MS);
	if (status != SQLITE_OK)
		return failed(txn, err);
	if (!is_wal)
		return err_set(err, ERR_INTERNAL,
			"database %s: this file system cannot hold a write-ahead log", txn->db->path);
	return true;
}

/* ---- migrations ---- */

static bool apply(struct txn *txn, const struct migration *migration, int64_t number, struct err *err)
{
	char mark[48];

	(void)snprintf(mark, sizeof mark, "PRAGMA user_version = %lld", (long long)number);
	if (!execute(txn, migration->sql, err) || !execute(txn, mark, err))
		return err_prefix(err, "migration %s", migration->name);
	return txn_commit(txn, err);
}

/* Applies what the database lacks of the first `count` migrations. The version is read again inside of each
 * transaction: another process may have been faster. */
static bool migrate(struct db *db, const struct migration *migrations, size_t count, struct err *err)
{
	static const char version_sql[] = "PRAGMA user_version";
	int64_t version = 0;

	if (!ask_number(db->writer, version_sql, &version, err))
		return false;
	while (version >= 0 && version < (int64_t)count) {
		AUTO_TXN struct txn *txn = NULL;

		if (!db_write(db, &txn, err) || !ask_number(txn, version_sql, &version, err))
			return false;
		if (version >= 0 && version < (int64_t)count &&
			!apply(txn, &migrations[version], version + 1, err))
			return false;
		version++;
	}
	return true;
}

/* After migrate(): a newer program may also have come in between. */
static bool check_version(struct db *db, size_t count, struct err *err)
{
	int64_t version = 0;

	if (!ask_number(db->writer, "PRAGMA user_version", &version, err))
		return false;
	if (version != (int64_t)count)
		return err_set(err, ERR_INTERNAL,
			"database %s has schema %lld, this program knows up to %zu: it was last used by a "
			"newer one",
			db->path, (long long)version, count);
	return true;
}

/* ---- the file ---- */

bool db_open(
	const char *path, const struct migration *migrations, size_t count, struct db **out, struct err *err)
{
	AUTO_DB struct db *db = mem_zero(1, sizeof *db);

	lock_init(&db->mutex, &lock_place);
	lock_init(&db->writing, &writing_place);
	(void)pthread_cond_init(&db->returned, NULL);
	db->path = mem_dup(path);
	if (!connect_to(db, true, &db->writer, err) || !enter_wal(db->writer, err))
		return false;
	if (!migrate(db, migrations, count, err) || !check_version(db, count, err))
		return false;
	*out = TAKE(db);
	return true;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	while (db->idle) {
		struct txn *reader = db->idle;

		db->idle = reader->next;
		disconnect(reader);
	}
	/* The last connection to close folds the write-ahead log into the file. */
	disconnect(db->writer);
	(void)pthread_cond_destroy(&db->returned);
	lock_finish(&db->writing);
	lock_finish(&db->mutex);
	free(db->path);
	free(db);
}

/* ---- transactions ---- */

/* An idle reader, or NULL with the right to make one more. */
static struct txn *take_reader(struct db *db)
{
	LOCKED(&db->mutex);
	struct txn *reader;

	while (!db->idle && db->reader_count == READERS_MAX)
		lock_wait(&db->mutex, &db->returned);
	reader = db->idle;
	if (reader)
		db->idle = reader->next;
	else
		db->reader_count++;
	return reader;
}

/* Puts a reader back; NULL gives back the right to have one. */
static void return_reader(struct db *db, struct txn *reader)
{
	LOCKED(&db->mutex);

	if (reader) {
		reader->next = db->idle;
		db->idle = reader;
	} else {
		db->reader_count--;
	}
	(void)pthread_cond_signal(&db->returned);
}

bool db_read(struct db *db, struct txn **out, struct err *err)
{
	struct txn *txn = take_reader(db);

	if (!txn && !connect_to(db, false, &txn, err)) {
		return_reader(db, NULL);
		return false;
	}
	if (!txn_run(txn, sql[BEGIN_READING], NULL, 0, err)) {
		return_reader(db, txn);
		return false;
	}
	*out = txn;
	return true;
}

/* The writer's lock is held. Waits for nobody. */
static bool begin_at_once(struct db *db, struct err *err)
{
	bool begun;

	(void)sqlite3_busy_timeout(db->writer->handle, 0);
	begun = txn_run(db->writer, sql[BEGIN_WRITING], NULL, 0, err);
	(void)sqlite3_busy_timeout(db->writer->handle, DB_PATIENCE_MS);
	return begun;
}

/* The writer's lock is held, and goes where it fails. */
static bool begin_writing(struct db *db, struct txn **out, struct err *err)
{
	if (!begin_at_once(db, err)) {
		lock_release(&db->writing);
		return false;
	}
	*out = db->writer;
	return true;
}

/* Whether to try once more, after a moment. */
static bool is_worth_waiting(int64_t until_ms, const struct err *err)
{
	if (err->code != ERR_BUSY || clock_monotonic_ms() >= until_ms)
		return false;
	clock_sleep_ms(BUSY_RETRY_MS);
	return true;
}

/* Without the lock while another process is waited for: others may have less patience. */
bool db_write_within(struct db *db, int64_t patience_ms, struct txn **out, struct err *err)
{
	int64_t until_ms = clock_monotonic_ms() + patience_ms;

	do {
		lock_acquire(&db->writing);
		if (begin_writing(db, out, err))
			return true;
	} while (is_worth_waiting(until_ms, err));
	return false;
}

bool db_write(struct db *db, struct txn **out, struct err *err)
{
	return db_write_within(db, DB_PATIENCE_MS, out, err);
}

bool db_try_write(struct db *db, struct txn **out, struct err *err)
{
	int64_t until_ms = clock_monotonic_ms() + DB_PATIENCE_MS;

	do {
		*out = NULL;
		if (!lock_try(&db->writing) || begin_writing(db, out, err))
			return true;
	} while (is_worth_waiting(until_ms, err));
	return false;
}

bool db_is_free(struct db *db)
{
	struct err err = {0};
	LOCKED(&db->writing);

	if (begin_at_once(db, &err))
		(void)txn_run(db->writer, sql[ROLLBACK], NULL, 0, &err);
	return err.code != ERR_BUSY;
}

bool txn_begin_part(struct txn *txn, struct err *err)
{
	return txn_run(txn, sql[BEGIN_PART], NULL, 0, err);
}

bool txn_keep_part(struct txn *txn, struct err *err)
{
	return txn_run(txn, sql[KEEP_PART], NULL, 0, err);
}

bool txn_drop_part(struct txn *txn)
{
	struct err ignored;

	return !sqlite3_get_autocommit(txn->handle) && txn_run(txn, sql[DROP_PART], NULL, 0, &ignored) &&
	       txn_run(txn, sql[KEEP_PART], NULL, 0, &ignored);
}

bool txn_commit(struct txn *txn, struct err *err)
{
	return txn_run(txn, sql[COMMIT], NULL, 0, err);
}

void txn_end(struct txn *txn)
{
	struct err ignored = {0};

	if (!txn)
		return;
	/* SQLite has rolled back by itself after some failures. */
	if (!sqlite3_get_autocommit(txn->handle))
		(void)txn_run(txn, sql[ROLLBACK], NULL, 0, &ignored);
	if (txn->is_writer)
		lock_release(&txn->db->writing);
	else
		return_reader(txn->db, txn);
}
