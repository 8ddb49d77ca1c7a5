/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/own.h"
#include "server/module/archive.h"
#include "tests/unit/tar_writer.h"

AUTO_CLEANER(own_archive, struct archive *, archive_destroy)
#define AUTO_ARCHIVE AUTO(own_archive)

static char name_240[241];
static char name_4096[4097];
static char name_4097[4098];

/* Lists "name kind size\n" of each member, and reads every other member's content. */
static enum archive_fault list(struct stream *stream, int64_t max_bytes, struct buffer *out, struct err *err)
{
	struct archive_limits limits = {.unpacked_bytes = max_bytes};
	AUTO_ARCHIVE struct archive *archive = archive_create(stream, &limits);
	struct member member;
	struct err again;
	bool found;

	for (int i = 0; archive_next(archive, &member, &found, err); i++) {
		if (!found) {
			assert_true(archive_next(archive, &member, &found, err));
			assert_false(found);
			return archive_fault(archive);
		}
		if (i % 2 == 0 && !stream_drain(archive_content(archive), err))
			return archive_fault(archive);
		buffer_printf(
			out, "%s %c %lld\n", member.name, "fdo"[member.kind], (long long)member.size_bytes);
	}
	assert_false(archive_next(archive, &member, &found, &again));
	assert_string_equal(again.text, err->text);
	return archive_fault(archive);
}

static enum archive_fault list_tar(const struct buffer *tar, struct buffer *out, struct err *err)
{
	AUTO_BUFFER struct buffer packed = {0};
	struct memory_stream memory;

	gzip_bytes(tar->data, tar->length, &packed);
	return list(memory_stream_init(&memory, packed.data, packed.length), 0, out, err);
}

static void write_plain(struct buffer *tar)
{
	(void)tar_folder(tar, "./");
	(void)tar_folder(tar, "./variables/");
	(void)tar_file(tar, "./variables/variables.index", "index");
	(void)tar_file(tar, "./empty", "");
}

static void write_only_end(struct buffer *tar)
{
}

static void write_v7(struct buffer *tar)
{
	for (int i = 0; i < 2; i++) {
		size_t at = tar_header(tar, i ? "a/b" : "a/", '\0', 0);

		memset(tar->data + at + 257, 0, 8);
		tar_seal(tar, at);
	}
}

static void write_contiguous(struct buffer *tar)
{
	(void)tar_member_bytes(tar, "a", '7', "x", 1);
}

static void write_prefix(struct buffer *tar)
{
	size_t at = tar_header(tar, "name", '0', 0);

	memcpy(tar->data + at + 345, "pre/fix", 7);
	tar_seal(tar, at);
}

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

static void write_base256(struct buffer *tar)
{
	size_t at = tar_file(tar, "a", "hello");

	memcpy(tar->data + at + 124, "\x80\0\0\0\0\0\0\0\0\0\0\x05", 12);
	memcpy(tar->data + at + 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	tar_seal(tar, at);
}

static void write_spaces(struct buffer *tar)
{
	size_t at = tar_file(tar, "a", "hello");

	memcpy(tar->data + at + 124, "          5 ", 12);
	tar_seal(tar, at);
}

static void write_others(struct buffer *tar)
{
	static const char types[] = "12346VMZ";

	for (const char *type = types; *type; type++)
		(void)tar_header(tar, "x", *type, 0);
}

static void write_sparse(struct buffer *tar)
{
	size_t at = tar_header(tar, "s", 'S', 5);

	memcpy(tar->data + at + 257, "ustar  \0", 8);
	tar->data[at + 482] = 1;
	memcpy(tar->data + at + 483, "00000000005", 11);
	tar_seal(tar, at);
	tar_zeros(tar, 504);
	buffer_add(tar, "\1", 1);
	tar_zeros(tar, 7 + 512);
	buffer_add(tar, "hello", 5);
	tar_zeros(tar, 507);
	(void)tar_file(tar, "b", "");
}

static void write_pax_sparse(struct buffer *tar)
{
	tar_pax(tar, 'x', "GNU.sparse.major", "1");
	(void)tar_file(tar, "s", "0\n");
}

struct row {
	const char *label;
	void (*write)(struct buffer *tar);
	const char *expected; /* the listing; for faults, a part of the sentence */
	bool same_to_tarfile;
};

static const struct row good[] = {
	{"plain", write_plain, "./ d 0\n./variables/ d 0\n./variables/variables.index f 5\n./empty f 0\n",
		true},
	{"only end", write_only_end, "", true},
	{"v7", write_v7, "a/ d 0\na/b f 0\n", true},
	{"contiguous", write_contiguous, "a f 1\n", true},
	{"prefix", write_prefix, "pre/fix/name f 0\n", true},
	{"long name", write_long_name, NULL, true},
	{"pax path", write_pax_path, NULL, true},
	{"pax size", write_pax_size, "a f 5\nb f 0\n", true},
	{"pax other", write_pax_other, "a f 1\n", true},
	{"base 256", write_base256, "a f 5\n", true},
	{"spaces", write_spaces, "a f 5\n", true},
	{"others", write_others, "x o 0\nx o 0\nx o 0\nx o 0\nx o 0\nx o 0\nx o 0\nx o 0\n", true},
	{"sparse", write_sparse, "s o 5\nb f 0\n", false},
	{"pax sparse", write_pax_sparse, "s o 2\n", false},
};

static void test_reads_every_dialect(void **state)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		AUTO_BUFFER struct buffer tar = {0};
		AUTO_BUFFER struct buffer out = {0};
		struct err err;

		good[i].write(&tar);
		tar_end(&tar);
		if (list_tar(&tar, &out, &err) != ARCHIVE_SOUND)
			fail_msg("%s: %s", good[i].label, err.text);
		if (good[i].expected)
			assert_string_equal(buffer_string(&out), good[i].expected);
	}
}

/* Python lists what hub clients would see, in the form of list(). */
static const char python_lists[] =
	"python3 -c 'import sys, tarfile\n"
	"for m in tarfile.open(sys.argv[1], \"r|*\"):\n"
	"    print(m.name.rstrip(\"/\"), \"f\" if m.isfile() else \"d\" if m.isdir() else \"o\", m.size)' ";

static void list_by_python(const char *path, struct buffer *out)
{
	AUTO_FREE char *command = mem_printf("%s%s", python_lists, path);
	FILE *pipe = popen(command, "r");
	char block[4096];
	size_t length;

	assert_non_null(pipe);
	while ((length = fread(block, 1, sizeof block, pipe)) > 0)
		buffer_add(out, block, length);
	assert_int_equal(pclose(pipe), 0);
}

/* Drops the slash before " d", which tarfile drops. */
static void drop_slashes(struct buffer *listing)
{
	for (char *at = strstr(listing->data, "/ d"); at; at = strstr(at, "/ d"))
		memmove(at, at + 1, strlen(at));
	listing->length = strlen(listing->data);
}

static void test_means_the_same_to_tarfile(void **state)
{
	if (system("python3 -c 'import tarfile'") != 0) {
		print_message("python3 is not there: skipped\n");
		skip();
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		AUTO_BUFFER struct buffer tar = {0};
		AUTO_BUFFER struct buffer ours = {0};
		AUTO_BUFFER struct buffer theirs = {0};
		char path[] = "/tmp/larder-test-archive-XXXXXX";
		AUTO_FD int fd = mkstemp(path);
		struct err err;

		good[i].write(&tar);
		tar_end(&tar);
		assert_int_equal(write(fd, tar.data, tar.length), tar.length);
		buffer_add_string(&ours, "");
		assert_int_equal(list_tar(&tar, &ours, &err), ARCHIVE_SOUND);
		drop_slashes(&ours);
		if (good[i].same_to_tarfile) {
			list_by_python(path, &theirs);
			assert_string_equal(buffer_string(&theirs), buffer_string(&ours));
		}
		(void)unlink(path);
	}
}

static void poke(struct buffer *tar, size_t offset, const char *bytes, size_t length)
{
	size_t at = tar_file(tar, "a", "hello");

	memcpy(tar->data + at + offset, bytes, length);
	tar_seal(tar, at);
}

#define POKED(name, offset, bytes) \
	static void name(struct buffer *tar) \
	{ \
		poke(tar, offset, bytes, sizeof(bytes) - 1); \
	}

POKED(write_negative_size, 124, "-0000000005")
POKED(write_negative_base256, 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfb")
POKED(write_huge_base256, 124, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff")
POKED(write_overflowing_base256, 124, "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
POKED(write_garbage_size, 124, "5x000000000")
POKED(write_garbage_after_nul, 124, "5\0 0")
POKED(write_python_octal, 124, "0o5\0\0\0\0\0\0\0\0\0")
POKED(write_underscore, 124, "0_5\0\0\0\0\0\0\0\0\0")
POKED(write_garbage_mode, 100, "rw-r--r")
POKED(write_garbage_device, 329, "9999999")
POKED(write_unknown_magic, 257, "star")
POKED(write_folder_with_size, 156, "5")
POKED(write_link_with_size, 156, "1")
POKED(write_file_with_slash, 0, "a/")

static void write_bad_checksum(struct buffer *tar)
{
	size_t at = tar_file(tar, "a", "hello");

	tar->data[at] = 'b';
}

static void write_gnu_prefix(struct buffer *tar)
{
	size_t at = tar_file(tar, "a", "hello");

	memcpy(tar->data + at + 257, "ustar  \0", 8);
	memcpy(tar->data + at + 345, "00000000001", 11);
	tar_seal(tar, at);
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

static void write_lone_zeros(struct buffer *tar)
{
	(void)tar_file(tar, "a", "");
	tar_zeros(tar, 512);
	(void)tar_file(tar, "b", "");
}

static void write_behind_end(struct buffer *tar)
{
	(void)tar_file(tar, "a", "");
	tar_end(tar);
	(void)tar_file(tar, "b", "");
}

static void write_mixed_kinds(struct buffer *tar)
{
	size_t at;

	(void)tar_member_bytes(tar, "././@LongLink", 'L', "long", 5);
	at = tar_header(tar, "a/", '\0', 0);
	tar_seal(tar, at);
}

static const struct row broken[] = {
	{"checksum", write_bad_checksum, "byte 0 cannot be trusted: its checksum"},
	{"negative size", write_negative_size, "size"},
	{"negative base 256", write_negative_base256, "size"},
	{"huge base 256", write_huge_base256, "size"},
	{"overflowing base 256", write_overflowing_base256, "size"},
	{"garbage size", write_garbage_size, "size"},
	{"garbage after NUL", write_garbage_after_nul, "size"},
	{"0o", write_python_octal, "size"},
	{"underscore", write_underscore, "size"},
	{"mode", write_garbage_mode, "garbage"},
	{"device", write_garbage_device, "garbage"},
	{"magic", write_unknown_magic, "neither"},
	{"folder with size", write_folder_with_size, "has a size"},
	{"link with size", write_link_with_size, "has a size"},
	{"file with slash", write_file_with_slash, "slash"},
	{"GNU prefix", write_gnu_prefix, "prefix"},
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
	{"lone zeros", write_lone_zeros, "lone block"},
	{"behind the end", write_behind_end, "after the tar's end"},
	{"mixed kinds", write_mixed_kinds, "folder in one header"},
};

static void test_refuses_what_readers_understand_differently(void **state)
{
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		AUTO_BUFFER struct buffer tar = {0};
		AUTO_BUFFER struct buffer out = {0};
		struct err err = {0};

		broken[i].write(&tar);
		tar_end(&tar);
		if (list_tar(&tar, &out, &err) != ARCHIVE_TAR_BROKEN || !strstr(err.text, broken[i].expected))
			fail_msg("%s: %s %s", broken[i].label, err.text, buffer_string(&out));
		assert_int_equal(err.code, ERR_INVALID_MODULE);
	}
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

/* Cut anywhere, the tar in a whole gzip is broken, except within the padding that nobody needs. */
static void test_notices_every_truncation_of_the_tar(void **state)
{
	AUTO_BUFFER struct buffer tar = {0};

	write_plain(&tar);
	tar_end(&tar);
	for (size_t length = 0; length < tar.length; length += length < 1024 ? 1 : 61) {
		AUTO_BUFFER struct buffer out = {0};
		struct buffer cut = {.data = tar.data, .length = length};
		struct err err;

		assert_int_equal(list_tar(&cut, &out, &err), ARCHIVE_TAR_BROKEN);
	}
}

static void test_notices_every_truncation_of_the_gzip(void **state)
{
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer packed = {0};

	write_plain(&tar);
	tar_end(&tar);
	gzip_bytes(tar.data, tar.length, &packed);
	for (size_t length = 0; length < packed.length; length++) {
		AUTO_BUFFER struct buffer out = {0};
		struct memory_stream memory;
		struct trickle trickle;
		struct err err;

		assert_int_equal(list(memory_stream_init(&memory, packed.data, length), 0, &out, &err),
			ARCHIVE_GZIP_BROKEN);
		assert_int_equal(list(trickle_init(&trickle, packed.data, length, true), 0, &out, &err),
			ARCHIVE_SOURCE_FAILED);
		assert_int_equal(err.code, ERR_INTERNAL);
	}
}

static void test_counts_padding(void **state)
{
	static const struct {
		size_t zeros;
		int64_t padding;
	} rows[] = {{0, 0}, {10240 - 1536, 0}, {10240 - 1536 + 1, 1}, {20480, 20480 + 1536 - 10240}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		AUTO_BUFFER struct buffer tar = {0};
		AUTO_BUFFER struct buffer packed = {0};
		struct memory_stream memory;
		struct archive_limits limits = {0};
		struct member member;
		struct err err;
		bool found;

		(void)tar_file(&tar, "a", "");
		tar_end(&tar);
		tar_zeros(&tar, rows[i].zeros);
		gzip_bytes(tar.data, tar.length, &packed);
		AUTO_ARCHIVE struct archive *archive =
			archive_create(memory_stream_init(&memory, packed.data, packed.length), &limits);
		assert_true(archive_next(archive, &member, &found, &err) && found);
		assert_true(archive_next(archive, &member, &found, &err) && !found);
		assert_int_equal(archive_padding_bytes(archive), rows[i].padding);
		assert_int_equal(archive_unpacked_bytes(archive), tar.length);
	}
}

static void test_refuses_a_size_beyond_the_limit_at_once(void **state)
{
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer packed = {0};
	AUTO_BUFFER struct buffer out = {0};
	struct memory_stream memory;
	struct err err;

	(void)tar_header(&tar, "a", '0', 8LL << 30);
	tar_end(&tar);
	gzip_bytes(tar.data, tar.length, &packed);
	assert_int_equal(list(memory_stream_init(&memory, packed.data, packed.length), 1 << 30, &out, &err),
		ARCHIVE_TOO_LARGE);
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
		cmocka_unit_test(test_reads_every_dialect),
		cmocka_unit_test(test_means_the_same_to_tarfile),
		cmocka_unit_test(test_refuses_what_readers_understand_differently),
		cmocka_unit_test(test_bounds_names),
		cmocka_unit_test(test_notices_every_truncation_of_the_tar),
		cmocka_unit_test(test_notices_every_truncation_of_the_gzip),
		cmocka_unit_test(test_counts_padding),
		cmocka_unit_test(test_refuses_a_size_beyond_the_limit_at_once),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
