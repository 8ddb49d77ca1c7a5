/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/db.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/thread.h"
#include "server/ranks.h"
#include "server/store/connection.h"

static const struct lock_place lock_place = {"db", RANK_DB};
static const struct lock_place writing_place = {"db writing", RANK_DB_WRITING, .slow = true};

enum { READERS_MAX = 16, BUSY_RETRY_MS = 10 };

struct db {
	struct lock mutex; /* guards idle and reader_count */
	pthread_cond_t returned;
	struct list idle; /* readers; the one that was used last comes first */
	size_t reader_count;
	struct lock writing; /* held from db_write() to txn_end(): guards *writer */
	struct txn *writer;
	char *path;
};

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

static bool connect_to(struct db *db, bool is_writer, struct txn **out, struct err *err)
{
	if (!connection_open(db->path, is_writer, DB_PATIENCE_MS, out, err))
		return false;
	(*out)->db = db;
	return true;
}

/* ---- migrations ---- */

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

/* The step that comes next, or the last one, which makes all of an empty database. Names the step that
 * failed. */
static bool apply(
	struct txn *txn, const struct migration *migrations, size_t count, int64_t *version, struct err *err)
{
	int64_t tables;
	char mark[48];

	if (!ask_number(txn, "SELECT count(*) FROM sqlite_schema", &tables, err))
		return false;
	bool is_whole = tables == 0 && migrations[count - 1].whole;
	const struct migration *step = &migrations[is_whole ? count - 1 : (size_t)*version];

	*version = step - migrations + 1;
	(void)snprintf(mark, sizeof mark, "PRAGMA user_version = %lld", (long long)*version);
	if (!connection_execute(txn, is_whole ? step->whole : step->sql, err) ||
		!connection_execute(txn, mark, err))
		return err_prefix(err, "migration %s", step->name);
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
		if (version >= 0 && version < (int64_t)count && !apply(txn, migrations, count, &version, err))
			return false;
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
	list_init(&db->idle);
	db->path = mem_dup(path);
	if (!connect_to(db, true, &db->writer, err) || !connection_enter_wal(db->writer, DB_PATIENCE_MS, err))
		return false;
	if (!migrate(db, migrations, count, err) || !check_version(db, count, err))
		return false;
	*out = TAKE(db);
	return true;
}

void db_close(struct db *db)
{
	struct txn *reader;

	if (!db)
		return;
	while ((reader = LIST_TAKE(struct txn, link, &db->idle)))
		connection_close(reader);
	/* The last connection to close folds the write-ahead log into the file. */
	connection_close(db->writer);
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

	while (list_is_empty(&db->idle) && db->reader_count == READERS_MAX)
		lock_wait(&db->mutex, &db->returned);
	reader = LIST_TAKE(struct txn, link, &db->idle);
	db->reader_count += !reader;
	INVARIANT(db->reader_count <= READERS_MAX);
	return reader;
}

/* Puts a reader back; NULL gives back the right to have one. */
static void return_reader(struct db *db, struct txn *reader)
{
	LOCKED(&db->mutex);

	INVARIANT(db->reader_count > 0);
	if (reader)
		list_prepend(&db->idle, &reader->link);
	else
		db->reader_count--;
	(void)pthread_cond_signal(&db->returned);
}

bool db_read(struct db *db, struct txn **out, struct err *err)
{
	struct txn *txn;

	may_block("reading the database");
	txn = take_reader(db);
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

bool db_has(struct db *db, const char *text, bool *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, text, NULL, 0);
	*out = rows_next(rows);
	return rows_done(rows, err);
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
