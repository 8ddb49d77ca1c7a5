/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/own.h"
#include "common/sums.h"
#include "server/store/unpacked/members.h"
#include "tests/unit/tar_writer.h"

enum { READERS = 8, BIG = 1 << 20 };

static const struct archive_limits no_limits;

struct place {
	char folder[32];
	struct members *members;
	int archive_fd;
	struct digest digest;
};

static void reopen(struct place *place, const struct archive_limits *limits, int64_t keep_free_bytes)
{
	struct err err = {0};

	members_close(TAKE(place->members));
	if (!members_open(place->folder, limits, keep_free_bytes, &place->members, &err) ||
		!members_put_aside(place->members, &err))
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	struct place *place = mem_zero(1, sizeof *place);

	(void)snprintf(place->folder, sizeof place->folder, "/tmp/larder-test.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	place->archive_fd = -1;
	reopen(place, &no_limits, 0);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", place->folder);

	members_close(place->members);
	own_close(&place->archive_fd);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

/* Puts the bytes where a blob would be. */
static void put_archive(struct place *place, const struct buffer *bytes)
{
	AUTO_FREE char *path = mem_printf("%s/archive", place->folder);
	struct err err = {0};

	own_close(&place->archive_fd);
	place->archive_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(place->archive_fd >= 0);
	assert_true(file_write_at(place->archive_fd, bytes->data, bytes->length, 0, &err));
	place->digest = digest_of(bytes->data, bytes->length);
}

struct entry {
	const char *name; /* as in the archive */
	const char *path; /* as it is asked for */
	const char *content;
};

static const struct entry entries[] = {
	{"./model.json", "model.json", "{}"},
	{"group1-shard1of1.bin", "group1-shard1of1.bin", "weights"},
	{"assets/words.txt", "assets/words.txt", "a\nb\n"},
	{"assets/Words.txt", "assets/Words.txt", "other words"},
	{"empty.bin", "empty.bin", ""},
	{"record", "record", "named as the record of their number"},
	{"../../outside", "../../outside", "never followed"},
	{"/tmp/absolute", "tmp/absolute", "never followed either"},
};
enum { ENTRIES = sizeof entries / sizeof *entries };

static void make_archive(struct buffer *out)
{
	AUTO_BUFFER struct buffer tar = {0};

	(void)tar_folder(&tar, "./");
	(void)tar_folder(&tar, "assets/");
	for (size_t i = 0; i < ENTRIES; i++)
		(void)tar_member_bytes(
			&tar, entries[i].name, '0', entries[i].content, strlen(entries[i].content));
	tar_end(&tar);
	gzip_bytes(tar.data, tar.length, out);
}

static void put_entries(struct place *place)
{
	AUTO_BUFFER struct buffer archive = {0};

	make_archive(&archive);
	put_archive(place, &archive);
}

static bool read_member(struct place *place, const char *path, struct member_file *out, struct err *err)
{
	return members_read(place->members, &place->digest, place->archive_fd, path, out, err);
}

static void assert_digests(const struct checksums *checksums, const char *content)
{
	AUTO_SUMS struct sums *sums = sums_create(1u << SUM_SHA256 | 1u << SUM_MD5);
	uint8_t values[SUM_COUNT][SUM_BYTES_MAX];

	sums_add(sums, content, strlen(content));
	sums_result(sums, values);
	assert_memory_equal(checksums->sha256.bytes, values[SUM_SHA256], sum_size(SUM_SHA256));
	assert_true(checksums->has_md5);
	assert_memory_equal(checksums->md5, values[SUM_MD5], sum_size(SUM_MD5));
}

static void assert_entry(struct place *place, const struct entry *entry)
{
	AUTO_MEMBER_FILE struct member_file file = {.fd = -1};
	char content[64] = "";
	struct err err = {0};
	size_t length;

	if (!read_member(place, entry->path, &file, &err))
		fail_msg("%s: %s", entry->path, err.text);
	assert_null(file.unpacking);
	assert_int_equal(file.size_bytes, strlen(entry->content));
	assert_digests(&file.checksums, entry->content);
	assert_true(file_read_at(file.fd, content, (size_t)file.size_bytes, 0, &length, &err));
	assert_string_equal(content, entry->content);
}

static void assert_all_entries(struct place *place)
{
	for (size_t i = 0; i < ENTRIES; i++)
		assert_entry(place, &entries[i]);
}

static void assert_refused(struct place *place, const char *path, enum err_code code)
{
	AUTO_MEMBER_FILE struct member_file file = {.fd = -1};
	struct err err = {0};

	assert_false(read_member(place, path, &file, &err));
	assert_int_equal(err.code, code);
}

/* How many archives, also half of one, are unpacked. */
static size_t count_unpacked(const struct place *place)
{
	AUTO_FREE char *path = mem_printf("%s/unpacked", place->folder);
	DIR *folder = opendir(path);
	size_t count = 0;

	assert_non_null(folder);
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		count += entry->d_name[0] != '.';
	(void)closedir(folder);
	return count;
}

static void run_in(const struct place *place, const char *words)
{
	AUTO_FREE char *command = mem_printf("cd '%s' && %s", place->folder, words);

	assert_int_equal(system(command), 0);
}

static void remove_by_hand(const struct place *place, const char *path)
{
	AUTO_FREE char *words = mem_printf("rm -rf %s", path);

	run_in(place, words);
}

/* ---- finding files ---- */

static void test_every_file_is_found_by_its_path(void **state)
{
	struct place *place = *state;

	put_entries(place);
	assert_all_entries(place);
	assert_int_equal(count_unpacked(place), 1);
	assert_int_equal(access("/tmp/absolute", F_OK), -1);
}

static void test_other_paths_are_not_found(void **state)
{
	static const char *const others[] = {"", "/", "./model.json", "/model.json", "model.json/",
		"Model.json", "assets", "assets/", "words.txt", "outside", "none", "."};
	struct place *place = *state;

	put_entries(place);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_refused(place, others[i], ERR_NOT_FOUND);
	assert_all_entries(place);
}

/* ---- going and coming back ---- */

static void test_what_was_removed_is_made_again(void **state)
{
	static const char *const removals[] = {
		"unpacked", "unpacked/*", "unpacked/*/*", "unpacked/*/record", "unpacked/*/[0-7]*"};
	struct place *place = *state;

	put_entries(place);
	for (size_t i = 0; i < sizeof removals / sizeof *removals; i++) {
		assert_all_entries(place);
		remove_by_hand(place, removals[i]);
	}
	assert_all_entries(place);
}

/* Seen by what is no longer seen: a loss that leaves the folder's time as it was. */
static void test_files_are_counted_once_for_each_change(void **state)
{
	struct place *place = *state;

	put_entries(place);
	assert_all_entries(place);
	run_in(place, "touch -d '1 hour ago' unpacked/*");
	assert_refused(place, "none", ERR_NOT_FOUND);
	run_in(place, "touch -r unpacked/* then && rm unpacked/*/[0-9]* && touch -r then unpacked/*");
	assert_refused(place, "none", ERR_NOT_FOUND);
	run_in(place, "! ls unpacked/*/[0-9]* 2> no-files");
	run_in(place, "touch unpacked/*");
	assert_refused(place, "none", ERR_NOT_FOUND);
	assert_all_entries(place);
	/* What has only just changed may change again. */
	remove_by_hand(place, "unpacked/*/[0-7]*");
	assert_all_entries(place);
}

struct witnessed {
	size_t times;
	struct digest archive;
	struct filesums sums;
};

static void witness(void *context, const struct digest *archive, const struct filesums *sums)
{
	struct witnessed *witnessed = context;

	witnessed->times++;
	witnessed->archive = *archive;
	filesums_finish(&witnessed->sums);
	for (size_t i = 0; i < sums->count; i++)
		filesums_add(&witnessed->sums, sums->items[i].path, sums->items[i].sha256);
}

static void test_digests_are_told_each_time(void **state)
{
	struct place *place = *state;
	AUTO_FREE struct witnessed *witnessed = mem_zero(1, sizeof *witnessed);

	members_set_witness(place->members, &(struct members_witness){witness, witnessed});
	put_entries(place);
	for (size_t times = 1; times <= 2; times++) {
		assert_all_entries(place);
		assert_int_equal(witnessed->times, times);
		assert_true(digest_equal(&witnessed->archive, &place->digest));
		assert_int_equal(witnessed->sums.count, ENTRIES);
		for (size_t i = 0; i < ENTRIES; i++) {
			const struct filesum *sum = filesums_find(&witnessed->sums, entries[i].path);
			struct digest digest = digest_of(entries[i].content, strlen(entries[i].content));

			assert_non_null(sum);
			assert_memory_equal(sum->sha256, digest.bytes, sizeof sum->sha256);
		}
		remove_by_hand(place, "unpacked/*");
	}
	filesums_finish(&witnessed->sums);
}

/* Clients get the last of those that have one name. */
static void test_the_digest_is_that_of_the_last(void **state)
{
	struct place *place = *state;
	AUTO_FREE struct witnessed *witnessed = mem_zero(1, sizeof *witnessed);
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer packed = {0};
	AUTO_MEMBER_FILE struct member_file file = {.fd = -1};
	struct err err = {0};

	for (int i = 0; i < 40; i++) {
		AUTO_FREE char *name = mem_printf("%s%d", i % 2 ? "./" : "", i % 7);
		AUTO_FREE char *content = mem_printf("content %d", i);

		(void)tar_file(&tar, name, content);
	}
	tar_end(&tar);
	gzip_bytes(tar.data, tar.length, &packed);
	put_archive(place, &packed);
	members_set_witness(place->members, &(struct members_witness){witness, witnessed});
	assert_true(read_member(place, "0", &file, &err));
	assert_int_equal(witnessed->sums.count, 7);
	for (int i = 33; i < 40; i++) {
		AUTO_FREE char *name = mem_printf("%d", i % 7);
		AUTO_FREE char *content = mem_printf("content %d", i);
		const struct filesum *sum = filesums_find(&witnessed->sums, name);
		struct digest digest = digest_of(content, strlen(content));

		assert_non_null(sum);
		assert_memory_equal(sum->sha256, digest.bytes, sizeof sum->sha256);
	}
	filesums_finish(&witnessed->sums);
}

/* Where a file that comes again has no room, what was told of its name before may be wrong. */
static void test_digests_without_room(void **state)
{
	(void)state;
	for (int again = 0; again < 2; again++) {
		AUTO(filesums_finish) struct filesums sums = {0};
		struct digest digest = digest_of("x", 1);
		size_t most;

		for (int i = 0; i < 50000; i++) {
			AUTO_FREE char *name = mem_printf("file-%06d", i);

			filesums_add(&sums, name, digest.bytes);
		}
		most = sums.count;
		assert_in_range(most, 10000, 49999);
		filesums_add(&sums, again ? "file-000000" : "yet another", digest.bytes);
		filesums_add(&sums, "another", digest.bytes);
		filesums_sort(&sums);
		assert_int_equal(sums.count, again ? 0 : most);
		assert_int_equal(filesums_find(&sums, "file-000000") != NULL, !again);
	}
}

/* By an earlier release: files without sums behind them, and under other names. */
static void test_what_was_unpacked_without_sums_is_unpacked_again(void **state)
{
	struct place *place = *state;

	put_entries(place);
	assert_all_entries(place);
	run_in(place, "cd unpacked/* && mv record files && for f in *.sums; do mv $f ${f%.sums}; done");
	assert_all_entries(place);
	run_in(place, "for f in unpacked/*/*.sums; do : > $f; done");
	assert_all_entries(place);
}

static void test_remove(void **state)
{
	struct place *place = *state;
	struct err err = {0};

	put_entries(place);
	assert_all_entries(place);
	assert_true(members_remove(place->members, &place->digest, &err));
	assert_int_equal(count_unpacked(place), 0);
	assert_true(members_remove(place->members, &place->digest, &err));
}

/* An archive that unpacks to four blocks: the folder, the record, and a file of two. */
enum { BLOCK = 4096, SMALL = 4 * BLOCK };

static struct digest put_small(struct place *place, const char *content)
{
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer archive = {0};
	char bytes[BLOCK + 1] = "";

	(void)snprintf(bytes, sizeof bytes, "%s", content);
	(void)tar_member_bytes(&tar, "model.json", '0', bytes, sizeof bytes);
	tar_end(&tar);
	gzip_bytes(tar.data, tar.length, &archive);
	put_archive(place, &archive);
	return place->digest;
}

static struct digest unpack_small(struct place *place, const char *content)
{
	AUTO_MEMBER_FILE struct member_file file = {.fd = -1};
	struct digest digest = put_small(place, content);
	struct err err = {0};

	if (!read_member(place, "model.json", &file, &err))
		fail_msg("%s", err.text);
	return digest;
}

static bool is_unpacked(const struct place *place, const struct digest *digest)
{
	AUTO_FREE char *path = mem_printf("%s/unpacked/%s", place->folder, digest->hex);

	return access(path, F_OK) == 0;
}

static void test_bytes_are_counted_and_remembered(void **state)
{
	struct place *place = *state;
	struct err err = {0};
	struct digest first = unpack_small(place, "a");
	struct digest second;

	second = unpack_small(place, "b");
	assert_int_equal(members_bytes(place->members), 2 * SMALL);
	reopen(place, &no_limits, 0);
	assert_int_equal(members_bytes(place->members), 2 * SMALL);
	assert_true(members_remove(place->members, &first, &err));
	assert_int_equal(members_bytes(place->members), SMALL);
	remove_by_hand(place, "unpacked/*/record");
	reopen(place, &no_limits, 0);
	assert_int_equal(members_bytes(place->members), 0);
	assert_false(is_unpacked(place, &second));
}

static void test_least_recently_used_goes_first(void **state)
{
	struct place *place = *state;
	struct digest digests[] = {
		unpack_small(place, "a"), unpack_small(place, "b"), unpack_small(place, "c")};

	(void)unpack_small(place, "a");
	assert_int_equal(members_evict(place->members, 1), SMALL);
	assert_true(is_unpacked(place, &digests[0]));
	assert_false(is_unpacked(place, &digests[1]));
	assert_int_equal(members_evict(place->members, SMALL), SMALL);
	assert_true(is_unpacked(place, &digests[0]));
	assert_int_equal(members_evict(place->members, INT64_MAX), SMALL);
	assert_int_equal(members_evict(place->members, INT64_MAX), 0);
	assert_int_equal(members_bytes(place->members), 0);
}

/* One who grants room up to a limit, as the space does. */
struct granting {
	struct members *members;
	int64_t limit;
	int64_t most;
	int claims;
};

static void *begin_claim(void *context)
{
	struct granting *granting = context;

	granting->claims++;
	return granting;
}

static bool extend_claim(void *claim, int64_t written_bytes, int64_t bytes, struct err *err)
{
	struct granting *granting = claim;
	int64_t lack = members_bytes(granting->members) + bytes - granting->limit;

	assert_true(written_bytes <= bytes);
	if (lack > 0 && members_evict(granting->members, lack) < lack)
		return err_set(err, ERR_BUSY, "no room");
	granting->most = bytes > granting->most ? bytes : granting->most;
	return true;
}

static void end_claim(void *claim)
{
	((struct granting *)claim)->claims--;
}

static void test_room_is_claimed_first(void **state)
{
	struct place *place = *state;
	struct granting granting = {.members = place->members, .limit = 2 * SMALL};
	const struct members_room room = {begin_claim, extend_claim, end_claim, &granting};
	struct digest first;

	members_set_room(place->members, &room);
	first = unpack_small(place, "a");
	(void)unpack_small(place, "b");
	assert_true(is_unpacked(place, &first));
	(void)unpack_small(place, "c");
	assert_false(is_unpacked(place, &first));
	assert_int_equal(granting.most, SMALL);
	assert_int_equal(members_bytes(place->members), 2 * SMALL);
	granting.limit = SMALL - 1;
	(void)put_small(place, "d");
	assert_refused(place, "model.json", ERR_BUSY);
	assert_int_equal(count_unpacked(place), 0);
	assert_int_equal(granting.claims, 0);
}

/* Removes the archive in the middle of its unpacking. */
static bool remove_meanwhile(void *claim, int64_t written_bytes, int64_t bytes, struct err *err)
{
	struct place *place = claim;

	(void)written_bytes;
	(void)bytes;
	return members_remove(place->members, &place->digest, err);
}

static void *begin_with(void *context)
{
	return context;
}

static void end_nothing(void *claim)
{
	(void)claim;
}

static void test_what_is_removed_while_it_is_made_does_not_stay(void **state)
{
	struct place *place = *state;
	const struct members_room room = {begin_with, remove_meanwhile, end_nothing, place};

	members_set_room(place->members, &room);
	put_entries(place);
	assert_refused(place, "model.json", ERR_BUSY);
	assert_int_equal(count_unpacked(place), 0);
	assert_int_equal(members_bytes(place->members), 0);
}

struct visit {
	struct members *members;
	size_t count;
	int64_t bytes;
};

static bool remove_visited(void *context, const struct digest *digest, int64_t bytes)
{
	struct visit *visit = context;
	struct err err = {0};

	visit->count++;
	visit->bytes += bytes;
	return members_remove(visit->members, digest, &err);
}

static void test_each_may_be_removed(void **state)
{
	struct place *place = *state;
	struct visit visit = {.members = place->members};

	for (int i = 0; i < 40; i++)
		(void)unpack_small(place, (char[]){(char)('A' + i), 0});
	assert_true(members_each(place->members, remove_visited, &visit));
	assert_int_equal(visit.count, 40);
	assert_int_equal(visit.bytes, 40 * SMALL);
	assert_int_equal(count_unpacked(place), 0);
	assert_int_equal(members_bytes(place->members), 0);
}

/* Half made, damaged, of an earlier release: opening takes as long for much as for little, and what is asked
 * for meanwhile is unpacked anew. */
static void test_what_is_half_made_is_put_aside_and_swept(void **state)
{
	static const _Atomic bool never = false, at_once = true;
	struct place *place = *state;
	AUTO_FREE char *command =
		mem_printf("cd '%s/unpacked' && mkdir %064d.new && touch %064d.new/x stranger && "
			   "for f in */record; do mv $f ${f%%record}files; done",
			place->folder, 0, 0);
	struct err err = {0};

	put_entries(place);
	for (size_t times = 1; times <= 3; times++) {
		assert_all_entries(place);
		assert_int_equal(system(command), 0);
		reopen(place, &no_limits, 0);
		assert_int_equal(members_bytes(place->members), 0);
		assert_int_equal(count_unpacked(place), 1 + 2 * times);
	}
	assert_all_entries(place);
	assert_true(members_sweep(place->members, &at_once, &err));
	assert_int_equal(count_unpacked(place), 8);
	assert_true(members_sweep(place->members, &never, &err));
	assert_int_equal(count_unpacked(place), 2);
	assert_all_entries(place);
}

/* ---- limits and damage ---- */

static void test_limits(void **state)
{
	static const struct {
		struct archive_limits limits;
		int64_t keep_free_bytes;
		enum err_code code;
	} rows[] = {
		{{.max_members = ENTRIES - 1}, 0, ERR_INTERNAL},
		{{.max_unpacked_bytes = 2048}, 0, ERR_INTERNAL},
		{{0}, INT64_MAX, ERR_NO_SPACE},
	};
	struct place *place = *state;

	put_entries(place);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		reopen(place, &rows[i].limits, rows[i].keep_free_bytes);
		assert_refused(place, "model.json", rows[i].code);
		assert_int_equal(count_unpacked(place), 0);
	}
	reopen(place, &(struct archive_limits){.max_members = ENTRIES}, 0);
	assert_all_entries(place);
}

static void test_a_broken_archive_leaves_nothing(void **state)
{
	AUTO_BUFFER struct buffer archive = {0};
	struct place *place = *state;
	size_t whole;

	make_archive(&archive);
	whole = archive.length;
	for (archive.length = 1; archive.length < whole; archive.length += 97) {
		put_archive(place, &archive);
		assert_refused(place, "model.json", ERR_INTERNAL);
	}
	assert_int_equal(count_unpacked(place), 0);
	archive.length = whole;
	put_archive(place, &archive);
	assert_all_entries(place);
}

/* ---- many at once ---- */

struct reader {
	struct waiter waiter;
	sem_t woken;
	struct place *place;
	enum err_code refused; /* ERR_NONE: it got the file */
	pthread_t thread;
};

static void wake(struct waiter *waiter)
{
	(void)sem_post(&((struct reader *)waiter)->woken);
}

static enum err_code read_patiently(struct reader *reader)
{
	for (;;) {
		AUTO_MEMBER_FILE struct member_file file = {.fd = -1};
		struct err err = {0};

		if (!read_member(reader->place, "big.bin", &file, &err))
			return err.code;
		if (!file.unpacking)
			return file.size_bytes == BIG ? ERR_NONE : ERR_BAD_REQUEST;
		if (unpacking_await(file.unpacking, &reader->waiter))
			(void)sem_wait(&reader->woken);
		if (!unpacking_result(file.unpacking, &err))
			return err.code;
	}
}

static void *run_reader(void *argument)
{
	struct reader *reader = argument;

	reader->refused = read_patiently(reader);
	return NULL;
}

static void assert_readers(struct place *place, enum err_code refused)
{
	struct reader readers[READERS] = {0};

	for (size_t i = 0; i < READERS; i++) {
		readers[i].waiter.wake = wake;
		readers[i].place = place;
		(void)sem_init(&readers[i].woken, 0, 0);
		assert_int_equal(pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]), 0);
	}
	for (size_t i = 0; i < READERS; i++) {
		(void)pthread_join(readers[i].thread, NULL);
		(void)sem_destroy(&readers[i].woken);
		assert_int_equal(readers[i].refused, refused);
	}
}

static void put_big(struct place *place)
{
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer archive = {0};
	AUTO_FREE char *bytes = mem_zero(BIG, 1);

	(void)tar_member_bytes(&tar, "big.bin", '0', bytes, BIG);
	tar_end(&tar);
	gzip_bytes(tar.data, tar.length, &archive);
	put_archive(place, &archive);
}

static void test_many_readers_share_one_unpacking(void **state)
{
	struct place *place = *state;

	put_big(place);
	for (int round = 0; round < 5; round++) {
		assert_readers(place, ERR_NONE);
		assert_int_equal(count_unpacked(place), 1);
		remove_by_hand(place, "unpacked");
	}
}

static void test_many_readers_share_a_failure(void **state)
{
	struct place *place = *state;

	put_big(place);
	reopen(place, &(struct archive_limits){.max_unpacked_bytes = BIG}, 0);
	assert_readers(place, ERR_INTERNAL);
	assert_int_equal(count_unpacked(place), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_file_is_found_by_its_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_paths_are_not_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_was_removed_is_made_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_files_are_counted_once_for_each_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_digests_are_told_each_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_digest_is_that_of_the_last, set_up, tear_down),
		cmocka_unit_test(test_digests_without_room),
		cmocka_unit_test_setup_teardown(
			test_what_was_unpacked_without_sums_is_unpacked_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_remove, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bytes_are_counted_and_remembered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_least_recently_used_goes_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_room_is_claimed_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_removed_while_it_is_made_does_not_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_each_may_be_removed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_half_made_is_put_aside_and_swept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_broken_archive_leaves_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_readers_share_one_unpacking, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_readers_share_a_failure, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
