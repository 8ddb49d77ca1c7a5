/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>

#include "common/mem.h"
#include "server/store/db.h"

static const struct migration steps[] = {
	{"001_first", "CREATE TABLE facts (id INTEGER PRIMARY KEY, word TEXT, bytes BLOB) STRICT;"},
	{"002_second",
		"ALTER TABLE facts ADD COLUMN more INTEGER; CREATE TABLE others (id INTEGER PRIMARY KEY);"},
	{"003_broken", "CREATE TABLE thirds (id INTEGER PRIMARY KEY); CREATE TABLE facts (id INTEGER);"},
};

static const char add_fact[] = "INSERT INTO facts (word, bytes) VALUES (?1, ?2)";
static const char count_facts[] = "SELECT count(*) FROM facts";
static const char read_fact[] = "SELECT word, bytes, id FROM facts ORDER BY id";

static char *folder_create(void)
{
	char *folder = mem_dup("/tmp/test_db.XXXXXX");

	assert_non_null(mkdtemp(folder));
	return folder;
}

static void folder_destroy(char *folder)
{
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", folder);

	assert_int_equal(system(command), 0);
	free(folder);
}

struct place {
	char *folder;
	char *path;
};

static int set_up(void **state)
{
	struct place *place = mem_zero(1, sizeof *place);

	place->folder = folder_create();
	place->path = mem_printf("%s/test.db", place->folder);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	folder_destroy(place->folder);
	free(place->path);
	free(place);
	return 0;
}

static struct db *open_at(const char *path, size_t migrations)
{
	struct db *db = NULL;
	struct err err = {0};

	if (!db_open(path, steps, migrations, &db, &err))
		fail_msg("%s", err.text);
	return db;
}

static int64_t ask(struct txn *txn, const char *text)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, text, NULL, 0);
	struct err err = {0};
	int64_t number = rows_next(rows) ? rows_int(rows, 0) : -1;

	assert_true(rows_done(rows, &err));
	return number;
}

static int64_t count_all(struct db *db)
{
	AUTO_TXN struct txn *txn = NULL;
	struct err err = {0};

	assert_true(db_read(db, &txn, &err));
	return ask(txn, count_facts);
}

static bool add_one(struct db *db, const char *word, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_write(db, &txn, err) &&
	       txn_run(txn, add_fact, VALUES(v_text(word), v_bytes("\0\1", 2)), err) && txn_commit(txn, err);
}

/* ---- opening ---- */

static void migrates_step_by_step(void **state)
{
	const struct place *place = *state;
	struct err err = {0};
	struct db *db = open_at(place->path, 1);

	assert_true(add_one(db, "one", &err));
	db_close(db);
	db = open_at(place->path, 2);
	assert_int_equal(count_all(db), 1);
	db_close(db);
	db = open_at(place->path, 2);
	assert_int_equal(count_all(db), 1);
	db_close(db);
	db_close(NULL);
}

static void refuses_a_newer_database(void **state)
{
	const struct place *place = *state;
	struct db *db = open_at(place->path, 2);
	struct err err = {0};

	db_close(db);
	assert_false(db_open(place->path, steps, 1, &db, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	assert_non_null(strstr(err.text, "newer"));
}

static void leaves_nothing_of_a_broken_migration(void **state)
{
	const struct place *place = *state;
	struct err err = {0};
	struct db *db = NULL;

	assert_false(db_open(place->path, steps, 3, &db, &err));
	assert_non_null(strstr(err.text, "003_broken"));
	db = open_at(place->path, 2);
	AUTO_TXN struct txn *txn = NULL;
	assert_true(db_read(db, &txn, &err));
	assert_int_equal(ask(txn, "SELECT count(*) FROM sqlite_schema WHERE name = 'thirds'"), 0);
	txn_end(TAKE(txn));
	db_close(db);
}

static void says_that_a_file_is_no_database(void **state)
{
	const struct place *place = *state;
	FILE *file = fopen(place->path, "w");
	struct err err = {0};
	struct db *db = NULL;

	for (int i = 0; i < 1000; i++)
		assert_true(fputs("this is no database at all\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_false(db_open(place->path, steps, 1, &db, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	assert_non_null(strstr(err.text, "not a database"));
}

static void says_that_pages_are_damaged(void **state)
{
	const struct place *place = *state;
	static const char junk[4096] = "junk";
	struct err err = {0};
	struct db *db = open_at(place->path, 1);
	int fd;

	for (int i = 0; i < 100; i++)
		assert_true(add_one(db, "a word that fills the page", &err));
	db_close(db);
	fd = open(place->path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, junk, sizeof junk, 4096), (ssize_t)sizeof junk);
	assert_int_equal(close(fd), 0);
	db = open_at(place->path, 1);
	assert_false(add_one(db, "x", &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	assert_non_null(strstr(err.text, "malformed"));
	db_close(db);
}

static void fails_without_its_folder(void **state)
{
	struct err err = {0};
	struct db *db = NULL;

	(void)state;
	assert_false(db_open("/nonexistent/folder/x.db", steps, 1, &db, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	assert_non_null(strstr(err.text, "/nonexistent/folder/x.db"));
}

/* ---- values and rows ---- */

static void values_come_back(void **state)
{
	const struct place *place = *state;
	struct db *db = open_at(place->path, 1);
	struct err err = {0};
	uint8_t bytes[2] = {9, 9}, three[3] = {9, 9, 9};
	AUTO_TXN struct txn *txn = NULL;

	assert_true(add_one(db, NULL, &err));
	assert_true(add_one(db, "", &err));
	assert_true(db_read(db, &txn, &err));
	struct rows *rows = txn_query(txn, read_fact, VALUES());
	assert_true(rows_next(rows));
	assert_null(rows_text(rows, 0));
	assert_true(rows_is_null(rows, 0));
	rows_bytes(rows, 1, bytes, 2);
	assert_memory_equal(bytes, "\0\1", 2);
	assert_true(rows_next(rows));
	assert_string_equal(rows_text(rows, 0), "");
	assert_false(rows_next(rows));
	/* The end stays the end. */
	assert_false(rows_next(rows));
	assert_true(rows_done(rows, &err));
	rows_finish(rows);
	rows = txn_query(txn, read_fact, VALUES());
	assert_true(rows_next(rows));
	rows_bytes(rows, 1, three, 3);
	assert_memory_equal(three, "\0\0\0", 3);
	assert_false(rows_done(rows, &err));
	rows_finish(rows);
	txn_end(TAKE(txn));
	db_close(db);
}

static void failures_show_in_the_end(void **state)
{
	const struct place *place = *state;
	struct db *db = open_at(place->path, 1);
	struct err err = {0};
	AUTO_TXN struct txn *txn = NULL;

	assert_true(db_write(db, &txn, &err));
	assert_false(txn_run(txn, "SELECT nonsense FROM nowhere", NULL, 0, &err));
	assert_non_null(strstr(err.text, "nowhere"));
	assert_false(txn_run(txn, add_fact, VALUES(v_text("x"), v_int(1)), &err));
	assert_non_null(strstr(err.text, "cannot store INT value in BLOB column"));
	struct rows *rows = txn_query(txn, read_fact, NULL, 0);
	struct rows *twice = txn_query(txn, read_fact, NULL, 0);
	assert_false(rows_next(twice));
	assert_false(rows_done(twice, &err));
	assert_non_null(strstr(err.text, "running already"));
	rows_finish(twice);
	assert_true(rows_done(rows, &err));
	rows_finish(rows);
	txn_end(TAKE(txn));
	db_close(db);
}

/* ---- transactions ---- */

static void rolls_back_what_was_not_committed(void **state)
{
	const struct place *place = *state;
	struct db *db = open_at(place->path, 1);
	struct err err = {0};
	struct txn *txn = NULL;

	assert_true(db_write(db, &txn, &err));
	assert_true(txn_run(txn, add_fact, VALUES(v_text("x"), v_bytes("", 0)), &err));
	assert_int_equal(txn_changes(txn), 1);
	assert_int_equal(txn_last_id(txn), 1);
	txn_end(txn);
	assert_int_equal(count_all(db), 0);
	db_close(db);
}

static void readers_keep_their_snapshot(void **state)
{
	const struct place *place = *state;
	struct db *db = open_at(place->path, 1);
	struct err err = {0};
	AUTO_TXN struct txn *txn = NULL;

	assert_true(db_read(db, &txn, &err));
	assert_int_equal(ask(txn, count_facts), 0);
	assert_true(add_one(db, "x", &err));
	assert_int_equal(ask(txn, count_facts), 0);
	assert_false(txn_run(txn, add_fact, VALUES(v_text("x"), v_bytes("", 0)), &err));
	txn_end(TAKE(txn));
	assert_int_equal(count_all(db), 1);
	db_close(db);
}

enum { THREADS = 24, ROUNDS = 10 };

static void *read_and_write(void *argument)
{
	struct db *db = argument;

	for (int i = 0; i < ROUNDS; i++) {
		AUTO_TXN struct txn *txn = NULL;
		struct err err = {0};
		int64_t before;

		if (!add_one(db, "x", &err) || !db_read(db, &txn, &err))
			return mem_dup(err.text);
		before = ask(txn, count_facts);
		if (before != ask(txn, "SELECT count(word) FROM facts"))
			return mem_dup("the snapshot moved");
	}
	return NULL;
}

/* More threads than there are readers. */
static void threads_share_it(void **state)
{
	const struct place *place = *state;
	struct db *db = open_at(place->path, 1);
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_and_write, db), 0);
	for (int i = 0; i < THREADS; i++) {
		void *failure;

		assert_int_equal(pthread_join(threads[i], &failure), 0);
		if (failure)
			fail_msg("%s", (char *)failure);
	}
	assert_int_equal(count_all(db), THREADS * ROUNDS);
	db_close(db);
}

/* ---- processes ---- */

/* What `test_db add PATH COUNT` does, in a process of its own. */
static int add_many(const char *path, int count)
{
	struct err err = {0};
	struct db *db = NULL;

	if (!db_open(path, steps, 2, &db, &err)) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (int i = 0; i < count; i++) {
		if (!add_one(db, "x", &err)) {
			(void)fprintf(stderr, "%s\n", err.text);
			return 1;
		}
	}
	db_close(db);
	return 0;
}

static pid_t start_adding(const char *path, const char *count)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		(void)execl("/proc/self/exe", "test_db", "add", path, count, (char *)NULL);
		_exit(127);
	}
	return child;
}

/* They also create and migrate it at the same time. */
static void processes_share_it(void **state)
{
	const struct place *place = *state;
	pid_t children[3];
	struct db *db;

	for (size_t i = 0; i < 3; i++)
		children[i] = start_adding(place->path, "40");
	for (size_t i = 0; i < 3; i++) {
		int status = -1;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	db = open_at(place->path, 2);
	assert_int_equal(count_all(db), 120);
	db_close(db);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(migrates_step_by_step, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_a_newer_database, set_up, tear_down),
		cmocka_unit_test_setup_teardown(leaves_nothing_of_a_broken_migration, set_up, tear_down),
		cmocka_unit_test_setup_teardown(says_that_a_file_is_no_database, set_up, tear_down),
		cmocka_unit_test_setup_teardown(says_that_pages_are_damaged, set_up, tear_down),
		cmocka_unit_test(fails_without_its_folder),
		cmocka_unit_test_setup_teardown(values_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures_show_in_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rolls_back_what_was_not_committed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(readers_keep_their_snapshot, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_share_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(processes_share_it, set_up, tear_down),
	};

	if (argc == 4 && strcmp(argv[1], "add") == 0)
		return add_many(argv[2], atoi(argv[3]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
