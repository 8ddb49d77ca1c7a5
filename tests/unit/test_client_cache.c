/* SPDX-License-Identifier: Apache-2.0
 *
 * Client caches: what tensorflow_hub finds is whole, stays, and is the same files for each spelling. That it
 * is found is for tests/http to show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/command/client_cache.h"
#include "tests/unit/tar_writer.h"

static const struct name name = {"google/nnlm-en-dim50", 2, FORMAT_TF_HUB};
static const char *const origins[] = {"https://tfhub.dev", "http://models.example:8080/"};
enum { ORIGINS = sizeof origins / sizeof *origins, SPELLINGS = 3 * ORIGINS };

/* Computed by another library. */
static const char plain[] = "74a841d6eb84e8d93d913d716fb5440d020cc291";
static const char *const spellings[] = {
	plain, "d59af0e2a94e68474c86d43b99414c983a787468", "40b0b2a3ba0639c6aed6693395682026e3c1d640"};

struct place {
	char path[64];
	int archive_fd;
	struct digest digest;
	struct client_cache *cache;
};

static void add_members(struct buffer *tar)
{
	(void)tar_member_bytes(tar, "saved_model.pb", '0', "\x08\x01", 2);
	(void)tar_member_bytes(tar, "variables/", '5', "", 0);
	(void)tar_member_bytes(tar, "variables/variables.index", '0', "index", 5);
	tar_end(tar);
}

static int make_place(void **state)
{
	struct place *place = mem_zero(1, sizeof *place);
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer gzip = {0};
	struct err err;

	(void)snprintf(place->path, sizeof place->path, "/tmp/larder-test-cache-XXXXXX");
	if (!mkdtemp(place->path))
		return -1;
	add_members(&tar);
	gzip_bytes(tar.data, tar.length, &gzip);
	place->digest = digest_of(gzip.data, gzip.length);
	place->archive_fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	*state = place;
	return file_write_at(place->archive_fd, gzip.data, gzip.length, 0, &err) &&
			       client_cache_open(place->path, origins, ORIGINS, &place->cache, &err)
		       ? 0
		       : -1;
}

static int remove_place(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *command = mem_printf("rm -r '%s'", place->path);

	client_cache_close(place->cache);
	own_close(&place->archive_fd);
	if (system(command) != 0)
		return -1;
	free(place);
	return 0;
}

static struct client_cache_counts add(struct place *place)
{
	struct client_cache_counts counts = {0};
	struct err err;

	if (!client_cache_add(place->cache, &name, place->archive_fd, &place->digest, &counts, &err))
		fail_msg("%s", err.text);
	return counts;
}

static struct stat look(const struct place *place, const char *spelling, const char *file)
{
	AUTO_FREE char *path = mem_printf("%s/%s/%s", place->path, spelling, file);
	struct stat status;

	if (stat(path, &status) < 0)
		fail_msg("%s is not there", path);
	return status;
}

static void assert_content(const struct place *place, const char *file, const char *content)
{
	AUTO_FREE char *path = mem_printf("%s/%s", place->path, file);
	AUTO_BUFFER struct buffer text = {0};
	struct err err;

	assert_true(file_read_all(path, 4096, &text, &err));
	if (strncmp(buffer_string(&text), content, strlen(content)) != 0)
		fail_msg("%s is %s", file, buffer_string(&text));
}

static void assert_entries(const struct place *place, int count)
{
	AUTO_FREE char *command = mem_printf("test $(ls -A '%s' | wc -l) = %d", place->path, count);

	assert_int_equal(system(command), 0);
}

static void test_makes_each_spelling(void **state)
{
	struct place *place = *state;
	struct client_cache_counts counts = {0};
	struct err err;

	assert_true(client_cache_count(place->cache, &name, &counts, &err));
	assert_int_equal(counts.made, SPELLINGS);
	assert_entries(place, 0);
	counts = add(place);
	assert_int_equal(counts.made, SPELLINGS);
	assert_int_equal(counts.here, 0);
	assert_entries(place, 2 * SPELLINGS);
	for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
		struct stat file = look(place, spellings[i], "variables/variables.index");

		assert_int_equal(file.st_nlink, SPELLINGS);
		assert_int_equal(file.st_mode & 0222, 0);
		assert_int_equal(file.st_size, 5);
		assert_int_equal(look(place, spellings[i], "").st_mode & 0700, 0700);
	}
	assert_content(place, "74a841d6eb84e8d93d913d716fb5440d020cc291.descriptor.txt",
		"Module: https://tfhub.dev/google/nnlm-en-dim50/2\nDownload Time: ");
	counts = add(place);
	assert_int_equal(counts.made, 0);
	assert_int_equal(counts.here, SPELLINGS);
	assert_int_equal(counts.hollow, 0);
}

/* A folder that is empty is none to tensorflow_hub; one that lost its files is taken for the module. */
static void test_leaves_what_is_there(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *command = mem_printf("cd '%s' && mkdir %s && mkdir -p %s/variables && mkdir other && "
					     "echo theirs >other/saved_model.pb "
					     "&& ln -s other %s",
		place->path, spellings[0], spellings[1], spellings[2]);
	struct client_cache_counts counts;

	assert_int_equal(system(command), 0);
	counts = add(place);
	assert_int_equal(counts.made, SPELLINGS - 2);
	assert_int_equal(counts.here, 2);
	assert_int_equal(counts.hollow, 1);
	assert_content(place, "other/saved_model.pb", "theirs");
	assert_int_equal(look(place, plain, "saved_model.pb").st_size, 2);
}

static void test_damaged_bytes_leave_nothing(void **state)
{
	static const char changes[] = {0, 1, '\xff'};
	struct place *place = *state;
	struct err err;

	for (size_t i = 0; i < sizeof changes; i++) {
		struct client_cache_counts counts = {0};

		assert_true(file_write_at(place->archive_fd, &changes[i], 1, 40 + (int64_t)i, &err));
		assert_false(client_cache_add(
			place->cache, &name, place->archive_fd, &place->digest, &counts, &err));
		assert_int_equal(err.code, ERR_DIGEST_MISMATCH);
		assert_entries(place, 0);
	}
}

static void test_sweeps_what_a_dead_process_left(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *command =
		mem_printf("cd '%s' && mkdir -p %s.part-abcdef/x other.part-abcdef %s.part-abc", place->path,
			plain, plain);
	struct client_cache *other;
	struct err err;

	assert_false(client_cache_open(place->path, origins, ORIGINS, &other, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(system(command), 0);
	client_cache_close(TAKE(place->cache));
	assert_true(client_cache_open(place->path, origins, ORIGINS, &place->cache, &err));
	assert_entries(place, 2);
}

static void test_takes_origins_that_code_can_have(void **state)
{
	static const char *const good[] = {
		"https://tfhub.dev", "http://localhost:8080/", "http://a/https://tfhub.dev"};
	static const char *const bad[] = {"", "tfhub.dev", "https://", "http:///x", "HTTPS://tfhub.dev",
		"ftp://a", "https://a?b", "https://a b"};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(client_cache_check_origin(good[i], &err));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (client_cache_check_origin(bad[i], &err))
			fail_msg("\"%s\" is taken", bad[i]);
	}
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PLACE(test_makes_each_spelling),
		IN_PLACE(test_leaves_what_is_there),
		IN_PLACE(test_damaged_bytes_leave_nothing),
		IN_PLACE(test_sweeps_what_a_dead_process_left),
		cmocka_unit_test(test_takes_origins_that_code_can_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
