/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/file.h"
#include "common/globs.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "common/siphash.h"
#include "common/uri.h"
#include "common/utf8.h"
#include "common/waiter.h"
#include "tests/unit/held.h"

#define EACH(row, table) \
	(size_t i_ = 0; i_ < sizeof(table) / sizeof *(table) && ((row) = &(table)[i_], 1); i_++)

/* ---- buffer ---- */

static void buffer_is_a_string_at_any_length(void **state)
{
	AUTO_BUFFER struct buffer buffer = {0};

	assert_string_equal(buffer_string(&buffer), "");
	buffer_add(&buffer, NULL, 0);
	assert_string_equal(buffer_string(&buffer), "");
	for (int i = 0; i < 1000; i++)
		buffer_printf(&buffer, "%d,", i % 10);
	buffer_add_string(&buffer, "end");
	assert_int_equal(buffer.length, 2003);
	assert_int_equal(strlen(buffer_string(&buffer)), 2003);
	assert_string_equal(buffer_string(&buffer) + 1996, "8,9,end");
}

static void buffer_gives_its_memory_away(void **state)
{
	AUTO_BUFFER struct buffer buffer = {0};
	AUTO_FREE char *nothing = buffer_take(&buffer);
	AUTO_FREE char *something = NULL;

	assert_string_equal(nothing, "");
	buffer_add(&buffer, "a\0b", 3);
	something = buffer_take(&buffer);
	assert_memory_equal(something, "a\0b", 4);
	assert_int_equal(buffer.length, 0);
	assert_string_equal(buffer_string(&buffer), "");
}

/* ---- clock ---- */

static void clock_writes_and_reads_dates(void **state)
{
	int64_t time_s = 0;

	assert_string_equal(clock_rfc3339(784111777).text, "1994-11-06T08:49:37Z");
	assert_string_equal(clock_http(784111777).text, "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_string_equal(clock_http(0).text, "Thu, 01 Jan 1970 00:00:00 GMT");
	assert_true(clock_parse_rfc3339("1994-11-06T08:49:37Z", &time_s));
	assert_int_equal(time_s, 784111777);
	assert_true(clock_parse_rfc3339("2024-02-29", &time_s));
	assert_int_equal(time_s, 1709164800);
}

static void clock_reads_all_three_http_dates(void **state)
{
	static const char *const dates[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994"};
	static const char *const refused[] = {"", "tomorrow", "1994-11-06",
		"Sun, 06 Nov 1994 08:49:37 GMT and more", "Sun, 36 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 +0100"};
	const char *const *date;
	int64_t time_s = 0;

	for
		EACH(date, dates)
		{
			time_s = 0;
			if (!clock_parse_http(*date, &time_s) || time_s != 784111777)
				fail_msg("\"%s\" was read as %lld", *date, (long long)time_s);
		}
	for
		EACH(date, refused)
		{
			if (clock_parse_http(*date, &time_s))
				fail_msg("\"%s\" was taken for a date", *date);
		}
}

static void clock_durations_never_go_back(void **state)
{
	int64_t ms = clock_monotonic_ms();
	int64_t us = clock_monotonic_us();

	assert_true(clock_monotonic_us() >= us);
	assert_true(clock_monotonic_ms() >= ms);
	assert_true(clock_now_s() > 1700000000);
}

/* ---- number ---- */

struct number_case {
	const char *text;
	bool number;
	bool size;
	int64_t value;
};

static const struct number_case number_cases[] = {
	{"0", true, true, 0},
	{"1234", true, true, 1234},
	{"007", true, true, 7},
	{"9223372036854775807", true, true, INT64_MAX},
	{"9223372036854775808", false, false, 0},
	{"18446744073709551617", false, false, 0},
	{"", false, false, 0},
	{"-1", false, false, 0},
	{"+1", false, false, 0},
	{" 1", false, false, 0},
	{"1 ", false, false, 0},
	{"0x10", false, false, 0},
	{"1.5", false, false, 0},
	{"K", false, false, 0},
	{"1K", false, true, 1024},
	{"3M", false, true, 3 << 20},
	{"2G", false, true, 2LL << 30},
	{"7T", false, true, 7LL << 40},
	{"1k", false, false, 0},
	{"1KB", false, false, 0},
	{"8388608T", false, false, 0},
};

static void numbers_are_decimal_and_nothing_else(void **state)
{
	const struct number_case *row;

	for
		EACH(row, number_cases)
		{
			int64_t value = -1;

			if (number_parse(row->text, &value) != row->number ||
				(row->number && value != row->value))
				fail_msg("\"%s\" as a number: %lld", row->text, (long long)value);
			value = -1;
			if (number_parse_size(row->text, &value) != row->size ||
				(row->size && value != row->value))
				fail_msg("\"%s\" as a size: %lld", row->text, (long long)value);
			if (!row->size && value != -1)
				fail_msg("\"%s\" was refused and wrote %lld all the same", row->text,
					(long long)value);
		}
}

static void sizes_are_written_for_people(void **state)
{
	assert_string_equal(number_size(0).text, "0 B");
	assert_string_equal(number_size(1023).text, "1023 B");
	assert_string_equal(number_size(1536).text, "1.5 KiB");
	assert_string_equal(number_size(64 << 20).text, "64.0 MiB");
	assert_string_equal(number_size(INT64_C(3) << 50).text, "3072.0 TiB");
}

/* ---- globs ---- */

static void globs_match_lists_of_patterns(void **state)
{
	static const struct {
		const char *list;
		const char *name;
		bool matches;
	} cases[] = {
		{"", "acme/x", false},
		{"*", "acme/x/y", true},
		{"acme/*", "acme/x/y", true},
		{"acme/*", "acme2/x", false},
		{"acme/*", "acme", false},
		{"google/*, acme/*", "acme/x", true},
		{" ,\tacme/? , ", "acme/x", true},
		{"acme/[ab]*", "acme/beta", true},
		{"acme/[ab]*", "acme/gamma", false},
		{"ACME/*", "acme/x", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (globs_match(cases[i].list, cases[i].name) != cases[i].matches)
			fail_msg("\"%s\" against \"%s\"", cases[i].list, cases[i].name);
	}
}

/* ---- uri ---- */

static void uri_decodes_in_place(void **state)
{
	static const struct {
		const char *text;
		bool plus_is_blank;
		const char *decoded; /* NULL: refused */
	} cases[] = {
		{"plain", false, "plain"},
		{"a%2Fb%20c", false, "a/b c"},
		{"a+b", false, "a+b"},
		{"a+b", true, "a b"},
		{"%c3%A9", false, "\xc3\xa9"},
		{"%00", false, NULL},
		{"%", false, NULL},
		{"%4", false, NULL},
		{"%4g", false, NULL},
		{"%%41", false, NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *text = mem_dup(cases[i].text);
		bool done = uri_decode(text, cases[i].plus_is_blank);

		if (done != (cases[i].decoded != NULL) || (done && strcmp(text, cases[i].decoded) != 0))
			fail_msg("\"%s\" became \"%s\"", cases[i].text, done ? text : "(refused)");
	}
}

static void uri_encodes_all_but_the_unreserved(void **state)
{
	AUTO_BUFFER struct buffer out = {0};

	uri_encode(&out, "a/b c?d=1&\xc3\xa9~._-", "/");
	assert_string_equal(buffer_string(&out), "a/b%20c%3Fd%3D1%26%C3%A9~._-");
}

static void query_keeps_pairs_in_order(void **state)
{
	struct query query = {0};

	assert_true(query_parse("a=1&b&&c=x%26y+z&a=2", &query));
	assert_int_equal(query.count, 4);
	assert_string_equal(query_find(&query, "a"), "2");
	assert_string_equal(query_find(&query, "b"), "");
	assert_string_equal(query_find(&query, "c"), "x&y z");
	assert_null(query_find(&query, "d"));
	query_finish(&query);
	assert_true(query_parse(NULL, &query));
	assert_int_equal(query.count, 0);
	query_finish(&query);
}

static void query_limits_what_it_takes(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct query query = {0};

	for (int i = 0; i < URI_QUERY_MAX; i++)
		buffer_printf(&text, "k%d=v&", i);
	assert_true(query_parse(buffer_string(&text), &query));
	assert_int_equal(query.count, URI_QUERY_MAX);
	assert_true(query_set(&query, "k7", "w"));
	assert_int_equal(query.count, URI_QUERY_MAX);
	assert_string_equal(query_find(&query, "k7"), "w");
	assert_false(query_set(&query, "one", "more"));
	assert_null(query_find(&query, "one"));
	query_finish(&query);
	buffer_add_string(&text, "one=more");
	assert_false(query_parse(buffer_string(&text), &query));
	assert_false(query_parse("a=%zz", &query));
}

/* ---- digest ---- */

#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void digests_are_those_of_the_standards(void **state)
{
	struct hasher *hasher = hasher_create();
	struct digest digest;

	hasher_add(hasher, "a", 1);
	hasher_add(hasher, "", 0);
	hasher_add(hasher, "bc", 2);
	digest = hasher_result(hasher);
	hasher_destroy(hasher);
	hasher_destroy(NULL);
	assert_string_equal(digest.hex, ABC_SHA256);
	assert_string_equal(digest_of("abc", 3).hex, ABC_SHA256);
}

static void digests_are_read_in_either_case(void **state)
{
	static const char *const refused[] = {"", "sha256:", "ba78", ABC_SHA256 "00", "sha512:" ABC_SHA256,
		"ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"};
	struct digest expected = digest_of("abc", 3);
	struct digest other = digest_of("abd", 3);
	struct digest read = {0};
	const char *const *text;

	assert_true(digest_parse("sha256:" ABC_SHA256, &read));
	assert_true(digest_equal(&read, &expected));
	assert_true(digest_parse("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", &read));
	assert_true(digest_equal(&read, &expected));
	assert_string_equal(read.hex, ABC_SHA256);
	assert_false(digest_equal(&read, &other));
	for
		EACH(text, refused)
		{
			if (digest_parse(*text, &read))
				fail_msg("\"%s\" was taken for a digest", *text);
		}
}

static void base64_decodes_only_the_canonical_form(void **state)
{
	static const char *const refused[] = {"", "Zm9v", "Zm8", "Zm9=", "Zm8=\n", "Z=8=", "Zm8*", "===="};
	uint8_t bytes[2] = {0};
	const char *const *text;

	assert_true(base64_decode("Zm8=", bytes, 2));
	assert_memory_equal(bytes, "fo", 2);
	for
		EACH(text, refused)
		{
			if (base64_decode(*text, bytes, 2))
				fail_msg("\"%s\" was taken for two bytes in base64", *text);
		}
}

static void random_bytes_differ(void **state)
{
	uint8_t a[32] = {0};
	uint8_t b[32] = {0};

	random_bytes(a, sizeof a);
	random_bytes(b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
}

/* ---- err ---- */

static void err_tells_code_and_sentence(void **state)
{
	struct err err = {.retry_after_s = 9};

	assert_false(err_set(&err, ERR_CONFLICT, "version %d is taken", 3));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(err.retry_after_s, 0);
	assert_string_equal(err.text, "version 3 is taken");
	assert_false(err_prefix(&err, "import %s: ", "b.tar"));
	assert_string_equal(err.text, "import b.tar: version 3 is taken");
	assert_int_equal(err.code, ERR_CONFLICT);
}

static void err_translates_errno(void **state)
{
	struct err err;

	assert_false(err_errno(&err, ENOSPC, "write"));
	assert_int_equal(err.code, ERR_NO_SPACE);
	assert_false(err_errno(&err, EMFILE, "open"));
	assert_int_equal(err.code, ERR_BUSY);
	assert_false(err_errno(&err, ENOENT, "open %s", "x"));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(err.text, "open x: No such file or directory");
	assert_false(err_errno(&err, EIO, "read"));
	assert_int_equal(err.code, ERR_INTERNAL);
}

static void err_cuts_what_is_too_long(void **state)
{
	char endless[1000];
	struct err err;

	memset(endless, 'x', sizeof endless);
	endless[sizeof endless - 1] = '\0';
	assert_false(err_errno(&err, EIO, "%s", endless));
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	assert_false(err_prefix(&err, "%s", endless));
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void every_code_has_a_name_of_its_own(void **state)
{
	for (int a = 0; a < ERR_CODE_COUNT; a++) {
		assert_non_null(err_name((enum err_code)a));
		for (int b = 0; b < a; b++)
			assert_string_not_equal(err_name((enum err_code)a), err_name((enum err_code)b));
	}
}

/* ---- file ---- */

static int make_folder(void **state)
{
	char *folder = mem_dup("/tmp/larder-test-XXXXXX");

	*state = folder;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	AUTO_FREE char *folder = *state;
	AUTO_FREE char *command = mem_printf("rm -r %s", folder);

	return system(command);
}

static void file_writes_and_reads_at_offsets(void **state)
{
	AUTO_FREE char *path = mem_printf("%s/f", (char *)*state);
	AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char bytes[8] = {0};
	size_t got = 0;
	struct err err;

	assert_true(file_write_at(fd, "world", 5, 6, &err));
	assert_true(file_write_at(fd, "hello ", 6, 0, &err));
	assert_true(file_read_at(fd, bytes, 8, 6, &got, &err));
	assert_int_equal(got, 5);
	assert_memory_equal(bytes, "world", 5);
	assert_true(file_read_at(fd, bytes, 8, 100, &got, &err));
	assert_int_equal(got, 0);
	assert_false(file_read_at(-1, bytes, 8, 0, &got, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
}

static void file_reads_whole_files_up_to_a_limit(void **state)
{
	AUTO_FREE char *path = mem_printf("%s/big", (char *)*state);
	AUTO_FREE char *content = mem_zero(40000, 1);
	AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	AUTO_BUFFER struct buffer out = {0};
	struct err err;

	memset(content, 'y', 40000);
	assert_true(file_write_at(fd, content, 40000, 0, &err));
	buffer_add_string(&out, ">");
	assert_false(file_read_all(path, 39999, &out, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_int_equal(out.length, 1);
	assert_true(file_read_all(path, 40000, &out, &err));
	assert_int_equal(out.length, 40001);
	assert_memory_equal(out.data + 1, content, 40000);
	assert_false(file_read_all("/nowhere/at/all", 1, &out, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void file_makes_folders_with_their_parents(void **state)
{
	AUTO_FREE char *path = mem_printf("%s/a/b/c", (char *)*state);
	AUTO_FREE char *below_a_file = mem_printf("%s/file/x", (char *)*state);
	AUTO_FREE char *file = mem_printf("%s/file", (char *)*state);
	AUTO_FD int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat status;
	struct err err;

	assert_true(file_make_folders(path, &err));
	assert_true(file_make_folders(path, &err));
	assert_int_equal(stat(path, &status), 0);
	assert_true(S_ISDIR(status.st_mode));
	assert_false(file_make_folders(below_a_file, &err));
	assert_non_null(strstr(err.text, "not a folder"));
}

static void folders_are_made_durable(void **state)
{
	AUTO_FD int folder = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	assert_true(file_sync_folder(folder, &err));
	assert_false(file_sync_folder(-1, &err));
}

/* ---- waiter ---- */

struct sleeper {
	struct waiter waiter;
	int woken;
};

static void count_wake(struct waiter *waiter)
{
	struct sleeper *sleeper = (struct sleeper *)waiter;

	/* Nobody may look at the waiter once it was called. */
	waiter->next = (struct waiter *)(uintptr_t)1;
	sleeper->woken++;
}

static void waiters_are_woken_once_unless_they_left(void **state)
{
	struct sleeper sleepers[3] = {
		{{count_wake, NULL}, 0}, {{count_wake, NULL}, 0}, {{count_wake, NULL}, 0}};
	struct waiter *list = NULL;

	for (int i = 0; i < 3; i++)
		waiter_join(&list, &sleepers[i].waiter);
	assert_true(waiter_leave(&list, &sleepers[1].waiter));
	assert_false(waiter_leave(&list, &sleepers[1].waiter));
	waiter_wake_all(TAKE(list));
	assert_int_equal(sleepers[0].woken, 1);
	assert_int_equal(sleepers[1].woken, 0);
	assert_int_equal(sleepers[2].woken, 1);
	assert_false(waiter_leave(&list, &sleepers[0].waiter));
	waiter_wake_all(NULL);
}

/* A counter that one thread raises and others wait for, as the spool does it. */
struct counter {
	pthread_mutex_t mutex; /* guards value and waiters */
	int value;
	struct waiter *waiters;
};

struct reader {
	struct waiter waiter;
	struct counter *counter;
	pthread_mutex_t mutex; /* guards awake */
	pthread_cond_t changed;
	bool awake;
};

enum { COUNTED = 2000 };

static void wake_reader(struct waiter *waiter)
{
	struct reader *reader = (struct reader *)waiter;
	HELD(&reader->mutex);

	reader->awake = true;
	(void)pthread_cond_signal(&reader->changed);
}

static bool wait_for_change(struct reader *reader, int *seen)
{
	HELD(&reader->counter->mutex);

	if (reader->counter->value != *seen) {
		*seen = reader->counter->value;
		return false;
	}
	reader->awake = false;
	waiter_join(&reader->counter->waiters, &reader->waiter);
	return true;
}

static void sleep_until_woken(struct reader *reader)
{
	HELD(&reader->mutex);

	while (!reader->awake)
		(void)pthread_cond_wait(&reader->changed, &reader->mutex);
}

static void *read_to_the_end(void *context)
{
	struct reader reader = {
		{wake_reader, NULL}, context, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
	int seen = 0;

	while (seen < COUNTED) {
		if (wait_for_change(&reader, &seen))
			sleep_until_woken(&reader);
	}
	return NULL;
}

static void raise_counter(struct counter *counter)
{
	struct waiter *woken;

	(void)pthread_mutex_lock(&counter->mutex);
	counter->value++;
	woken = TAKE(counter->waiters);
	(void)pthread_mutex_unlock(&counter->mutex);
	waiter_wake_all(woken);
}

static void no_wake_is_lost_among_threads(void **state)
{
	struct counter counter = {PTHREAD_MUTEX_INITIALIZER, 0, NULL};
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_to_the_end, &counter), 0);
	for (int i = 0; i < COUNTED; i++)
		raise_counter(&counter);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_null(counter.waiters);
}

/* The paper's appendix A, and each length up to two words told from the others. */
static void siphash_is_the_papers(void **state)
{
	const struct siphash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
	uint64_t hashes[16];
	uint8_t bytes[15];

	(void)state;
	for (uint8_t i = 0; i < sizeof bytes; i++)
		bytes[i] = i;
	assert_true(siphash(&key, bytes, sizeof bytes) == 0xa129ca6149be45e5);
	for (size_t i = 0; i <= sizeof bytes; i++) {
		hashes[i] = siphash(&key, bytes, i);
		for (size_t j = 0; j < i; j++)
			assert_true(hashes[i] != hashes[j]);
	}
}

static void utf8_is_cut_between_characters(void **state)
{
	static const char *const characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	AUTO_BUFFER struct buffer text = {0};

	(void)state;
	for (size_t i = 0; i < 40; i++)
		buffer_add_string(&text, characters[(i * i + i / 3) % 4]);
	for (size_t max = 0; max <= text.length + 4; max++) {
		AUTO_FREE char *beginning =
			mem_dup_n(buffer_string(&text), utf8_cut(buffer_string(&text), max));

		assert_true(strlen(beginning) <= max);
		assert_true(strlen(beginning) == text.length || strlen(beginning) + 4 > max);
		assert_true(utf8_is_text(beginning, strlen(beginning)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_is_a_string_at_any_length),
		cmocka_unit_test(buffer_gives_its_memory_away),
		cmocka_unit_test(clock_writes_and_reads_dates),
		cmocka_unit_test(clock_reads_all_three_http_dates),
		cmocka_unit_test(clock_durations_never_go_back),
		cmocka_unit_test(numbers_are_decimal_and_nothing_else),
		cmocka_unit_test(sizes_are_written_for_people),
		cmocka_unit_test(globs_match_lists_of_patterns),
		cmocka_unit_test(siphash_is_the_papers),
		cmocka_unit_test(uri_decodes_in_place),
		cmocka_unit_test(uri_encodes_all_but_the_unreserved),
		cmocka_unit_test(query_keeps_pairs_in_order),
		cmocka_unit_test(query_limits_what_it_takes),
		cmocka_unit_test(digests_are_those_of_the_standards),
		cmocka_unit_test(digests_are_read_in_either_case),
		cmocka_unit_test(base64_decodes_only_the_canonical_form),
		cmocka_unit_test(random_bytes_differ),
		cmocka_unit_test(err_tells_code_and_sentence),
		cmocka_unit_test(err_translates_errno),
		cmocka_unit_test(err_cuts_what_is_too_long),
		cmocka_unit_test(every_code_has_a_name_of_its_own),
		cmocka_unit_test_setup_teardown(file_writes_and_reads_at_offsets, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			file_reads_whole_files_up_to_a_limit, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			file_makes_folders_with_their_parents, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(folders_are_made_durable, make_folder, remove_folder),
		cmocka_unit_test(waiters_are_woken_once_unless_they_left),
		cmocka_unit_test(no_wake_is_lost_among_threads),
		cmocka_unit_test(utf8_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
