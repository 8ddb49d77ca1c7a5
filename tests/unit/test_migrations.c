/* SPDX-License-Identifier: Apache-2.0
 *
 * A new database is given at once what all migrations together make of an empty one: the same, to the letter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"
#include "server/store/db.h"

static const char everything[] =
	"SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema"
	" ORDER BY type = 'trigger', CASE WHEN type <> 'trigger' THEN name END, rowid";
static const char tables[] = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_stat1'"
			     " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name";

static void add_all(
	struct buffer *out, struct txn *txn, const char *text, const struct value *values, size_t count)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, text, values, count);
	struct err err = {0};

	while (rows_next(rows)) {
		buffer_add_string(out, rows_text(rows, 0) ? rows_text(rows, 0) : "");
		buffer_add_string(out, "\n");
	}
	if (!rows_done(rows, &err))
		fail_msg("%s: %s", text, err.text);
}

/* Each row of a table, its values quoted. */
static void add_rows_of(struct buffer *out, struct txn *txn, const char *table)
{
	AUTO_BUFFER struct buffer columns = {0};

	add_all(&columns, txn,
		"SELECT group_concat('quote(\"' || name || '\")', ' || '','' || ') FROM "
		"pragma_table_info(?1)",
		VALUES(v_text(table)));
	AUTO_FREE char *text =
		mem_printf("SELECT %s AS shown FROM \"%s\" ORDER BY 1", buffer_string(&columns), table);
	buffer_add_string(out, table);
	buffer_add_string(out, ":\n");
	add_all(out, txn, text, NULL, 0);
}

/* What these migrations make of a file that is not there yet. */
static void describe(struct buffer *out, const struct migration *migrations, size_t count)
{
	char folder[] = "/tmp/test_migrations.XXXXXX";
	AUTO_FREE char *path = mem_printf("%s/larder.db", mkdtemp(folder));
	AUTO_FREE char *remove = mem_printf("rm -r '%s'", folder);
	AUTO_BUFFER struct buffer names = {0};
	AUTO_DB struct db *db = NULL;
	AUTO_TXN struct txn *txn = NULL;
	struct err err = {0};
	char *rest = NULL;

	if (!db_open(path, migrations, count, &db, &err) || !db_read(db, &txn, &err))
		fail_msg("%s", err.text);
	add_all(out, txn, everything, NULL, 0);
	add_all(&names, txn, tables, NULL, 0);
	AUTO_FREE char *list = buffer_take(&names);
	for (char *name = strtok_r(list, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest))
		add_rows_of(out, txn, name);
	txn_end(TAKE(txn));
	assert_int_equal(system(remove), 0);
}

static void a_new_database_is_what_the_steps_make(void **state)
{
	AUTO_FREE struct migration *steps = mem_zero(catalog_migration_count, sizeof *steps);
	AUTO_BUFFER struct buffer by_steps = {0};
	AUTO_BUFFER struct buffer at_once = {0};

	(void)state;
	memcpy(steps, catalog_migrations, catalog_migration_count * sizeof *steps);
	assert_non_null(TAKE(steps[catalog_migration_count - 1].whole));
	describe(&by_steps, steps, catalog_migration_count);
	describe(&at_once, catalog_migrations, catalog_migration_count);
	assert_non_null(strstr(buffer_string(&at_once), "totals:\n1"));
	assert_string_equal(buffer_string(&by_steps), buffer_string(&at_once));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_database_is_what_the_steps_make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
