/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done late goes through one file after the other, and makes way for what is more urgent. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sqlite3.h>
#include <cmocka.h>

#include "common/digest.h"
#include "server/registry/late_filesums.h"
#include "server/registry/relisting.h"
#include "tests/unit/store_place.h"

enum { FILES = 3 };

static int64_t run_beside(const struct place *place, const char *statement)
{
	AUTO_FREE char *path = mem_printf("%s/larder.db", place->folder);
	sqlite3_stmt *prepared;
	int64_t answer = 0;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, statement, -1, &prepared, NULL), SQLITE_OK);
	if (sqlite3_step(prepared) == SQLITE_ROW)
		answer = sqlite3_column_int64(prepared, 0);
	assert_int_equal(sqlite3_finalize(prepared), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return answer;
}

/* Of a blob that is no archive at all, which one look tells. */
static void keep_unlooked(const struct place *place, int number)
{
	AUTO_FREE char *words = mem_printf("no archive %d", number);
	struct digest digest = digest_of(words, strlen(words));
	AUTO_FREE char *folder = mem_printf("mkdir -p %s/blobs/sha256/%.2s", place->folder, digest.hex);
	AUTO_FREE char *path = mem_printf("%s/blobs/sha256/%.2s/%s", place->folder, digest.hex, digest.hex);
	AUTO_FREE char *blob = mem_printf(
		"INSERT INTO blobs (id, digest, size_bytes, unpacked_bytes, file_count, cached, added_at)"
		" VALUES (%d, x'%s', %zu, 1, 1, 1, 1)",
		number, digest.hex, strlen(words));
	AUTO_FREE char *inspection =
		mem_printf("INSERT INTO inspections (id, blob_id, format, listed) VALUES (%d, %d, 'tfjs', 0)",
			number, number);
	AUTO_FREE char *undigested =
		mem_printf("INSERT OR IGNORE INTO undigested (inspection_id) VALUES (%d)", number);
	FILE *file;

	assert_int_equal(system(folder), 0);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(words, file) >= 0);
	assert_int_equal(fclose(file), 0);
	(void)run_beside(place, blob);
	(void)run_beside(place, inspection);
	(void)run_beside(place, undigested);
}

typedef bool (*pass_function)(
	struct catalog *, struct blobs *, const atomic_bool *, const atomic_bool *, struct err *);

static void check_pass(pass_function pass, const char *left)
{
	struct place place;
	atomic_bool stop = false, yield = true;
	struct err err = {0};

	place_open(&place);
	for (int i = 1; i <= FILES; i++)
		keep_unlooked(&place, i);
	for (int i = 1; i <= 2; i++) {
		assert_true(pass(place.catalog, place.blobs, &stop, &yield, &err));
		assert_int_equal(run_beside(&place, left), FILES - i);
	}
	for (int i = 4; i <= 5; i++)
		keep_unlooked(&place, i);
	atomic_store(&yield, false);
	assert_true(pass(place.catalog, place.blobs, &stop, &yield, &err));
	assert_int_equal(run_beside(&place, left), 0);
	place_close(&place);
}

static void digests_make_way_behind_each_file(void **state)
{
	(void)state;
	check_pass(late_filesums_pass, "SELECT count(*) FROM undigested");
}

static void lists_make_way_behind_each_file(void **state)
{
	(void)state;
	check_pass(relisting_pass, "SELECT count(*) FROM inspections WHERE listed = 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_make_way_behind_each_file),
		cmocka_unit_test(lists_make_way_behind_each_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
