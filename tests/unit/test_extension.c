/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers that go before a member's own: long names and pax records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/archive_rows.h"

static char name_240[241];
static char name_4096[4097];
static char name_4097[4098];

static void write_long_name(struct buffer *tar)
{
	(void)tar_member_bytes(tar, "././@LongLink", 'L', name_240, 241);
	(void)tar_file(tar, "short", "x");
	(void)tar_file(tar, "after", "y");
}

static void write_pax_path(struct buffer *tar)
{
	tar_pax(tar, 'g', "comment", "by hand");
	tar_pax(tar, 'x', "path", name_4096);
	(void)tar_file(tar, "short", "x");
	(void)tar_file(tar, "after", "y");
}

static void write_pax_size(struct buffer *tar)
{
	tar_pax(tar, 'x', "size", "5");
	(void)tar_header(tar, "a", '0', 0);
	buffer_add(tar, "hello", 5);
	tar_zeros(tar, 507);
	(void)tar_file(tar, "b", "");
}

static void write_pax_other(struct buffer *tar)
{
	tar_pax(tar, 'x', "mtime", "1.5");
	(void)tar_file(tar, "a", "1");
}

static void write_global(struct buffer *tar)
{
	tar_pax(tar, 'g', "comment", "by hand");
	tar_pax(tar, 'g', "comment", "and again");
	(void)tar_file(tar, "a", "");
	(void)tar_file(tar, "b", "");
}

static void write_two_long_names(struct buffer *tar)
{
	(void)tar_member_bytes(tar, "././@LongLink", 'L', "one", 4);
	(void)tar_member_bytes(tar, "././@LongLink", 'L', "two", 4);
	(void)tar_file(tar, "a", "");
}

static void write_pax_and_long_name(struct buffer *tar)
{
	tar_pax(tar, 'x', "path", "one");
	(void)tar_member_bytes(tar, "././@LongLink", 'L', "two", 4);
	(void)tar_file(tar, "a", "");
}

static void write_long_name_and_pax(struct buffer *tar)
{
	(void)tar_member_bytes(tar, "././@LongLink", 'L', "two", 4);
	tar_pax(tar, 'x', "mtime", "1");
	(void)tar_file(tar, "a", "");
}

static void write_two_pax(struct buffer *tar)
{
	tar_pax(tar, 'x', "path", "one");
	tar_pax(tar, 'x', "path", "two");
	(void)tar_file(tar, "a", "");
}

static void write_global_path(struct buffer *tar)
{
	tar_pax(tar, 'g', "path", "one");
	(void)tar_file(tar, "a", "");
}

static void write_pax_negative_size(struct buffer *tar)
{
	tar_pax(tar, 'x', "size", "-5");
	(void)tar_file(tar, "a", "");
}

static void write_pax_empty_path(struct buffer *tar)
{
	tar_pax(tar, 'x', "path", "");
	(void)tar_file(tar, "a", "");
}

static void write_pax_bytes(struct buffer *tar, const char *records, size_t length)
{
	(void)tar_member_bytes(tar, "pax", 'x', records, length);
	(void)tar_file(tar, "a", "");
}

#define PAX(name, records) \
	static void name(struct buffer *tar) \
	{ \
		write_pax_bytes(tar, records, sizeof(records) - 1); \
	}

PAX(write_pax_short_record, "4 a\n")
PAX(write_pax_long_record, "99 path=a\n")
PAX(write_pax_no_newline, "9 path=aa")
PAX(write_pax_no_equals, "7 path\n")
PAX(write_pax_no_key, "6 =ab\n")
PAX(write_pax_zero_record, "0 path=a\n")
PAX(write_pax_empty, "")
PAX(write_pax_nul, "11 path=a\0\n")
PAX(write_pax_nul_record, "9 path=a\n\0\0")
PAX(write_pax_path_twice, "10 path=a\n10 path=b\n")

static void write_pax_padding(struct buffer *tar)
{
	size_t at = tar_member_bytes(tar, "pax", 'x', "10 path=a\n", 10);

	memcpy(tar->data + at + 512 + 10, "10 path=b\n", 10);
	(void)tar_file(tar, "c", "");
}

static void write_long_name_nul(struct buffer *tar)
{
	(void)tar_member_bytes(tar, "././@LongLink", 'L', "a\0b", 4);
	(void)tar_file(tar, "c", "");
}

static void write_dangling_pax(struct buffer *tar)
{
	tar_pax(tar, 'x', "path", "one");
}

static void write_deep_pax(struct buffer *tar)
{
	for (int i = 0; i < 10000; i++)
		tar_pax(tar, 'x', "comment", "again");
	(void)tar_file(tar, "a", "");
}

static void write_large_pax(struct buffer *tar)
{
	AUTO_FREE char *comment = mem_zero((1 << 20) + 1, 1);

	memset(comment, 'x', 1 << 20);
	tar_pax(tar, 'x', "comment", comment);
	(void)tar_file(tar, "a", "");
}

static void write_dangling_global(struct buffer *tar)
{
	(void)tar_file(tar, "a", "");
	tar_pax(tar, 'g', "comment", "nobody's");
}

static void write_many_globals(struct buffer *tar)
{
	for (int i = 0; i < 400; i++)
		tar_pax(tar, 'g', "comment", "again");
	(void)tar_file(tar, "a", "");
}

static const struct row good[] = {
	{"long name", write_long_name, NULL},
	{"pax path", write_pax_path, NULL},
	{"pax size", write_pax_size, "a f 5\nb f 0\n"},
	{"pax other", write_pax_other, "a f 1\n"},
	{"global", write_global, "a f 0\nb f 0\n"},
};

static const struct row broken[] = {
	{"two long names", write_two_long_names, "repeats"},
	{"pax and long name", write_pax_and_long_name, "contradicts"},
	{"long name and pax", write_long_name_and_pax, "contradicts"},
	{"two pax", write_two_pax, "repeats"},
	{"global path", write_global_path, "global"},
	{"pax negative size", write_pax_negative_size, "size"},
	{"pax empty path", write_pax_empty_path, "path"},
	{"pax short record", write_pax_short_record, "malformed"},
	{"pax long record", write_pax_long_record, "malformed"},
	{"pax no newline", write_pax_no_newline, "malformed"},
	{"pax no equals", write_pax_no_equals, "malformed"},
	{"pax no key", write_pax_no_key, "malformed"},
	{"pax zero record", write_pax_zero_record, "malformed"},
	{"pax empty", write_pax_empty, "empty"},
	{"pax NUL", write_pax_nul, "NUL"},
	{"pax NUL record", write_pax_nul_record, "malformed"},
	{"pax path twice", write_pax_path_twice, "twice"},
	{"pax padding", write_pax_padding, "padding"},
	{"long name NUL", write_long_name_nul, "NUL"},
	{"dangling pax", write_dangling_pax, "no member behind"},
	{"deep pax", write_deep_pax, "repeats"},
	{"large pax", write_large_pax, "1 MiB"},
	{"dangling global", write_dangling_global, "no member behind"},
	{"many globals", write_many_globals, "More than 100"},
};

static void test_reads_every_form(void **state)
{
	assert_rows_are_read(ROWS(good));
}

static void test_means_the_same_to_tarfile(void **state)
{
	assert_rows_mean_the_same_to_tarfile(ROWS(good));
}

static void test_refuses_what_readers_understand_differently(void **state)
{
	assert_rows_are_refused(ROWS(broken));
}

static void test_bounds_names(void **state)
{
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer out = {0};
	struct err err;

	tar_pax(&tar, 'x', "path", name_4097);
	(void)tar_file(&tar, "a", "");
	tar_end(&tar);
	assert_int_equal(list_tar(&tar, &out, &err), ARCHIVE_NAME_TOO_LONG);
}

static int prepare(void **state)
{
	memset(name_240, 'n', 240);
	memset(name_4096, 'm', 4096);
	memset(name_4097, 'l', 4097);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_every_form),
		cmocka_unit_test(test_means_the_same_to_tarfile),
		cmocka_unit_test(test_refuses_what_readers_understand_differently),
		cmocka_unit_test(test_bounds_names),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
