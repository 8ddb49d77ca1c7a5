/* SPDX-License-Identifier: Apache-2.0
 *
 * Members of tars in every dialect, and where a tar ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/archive_rows.h"

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

static void write_gzip(struct buffer *tar)
{
	AUTO_BUFFER struct buffer inner = {0};

	(void)tar_file(&inner, "a", "");
	tar_end(&inner);
	gzip_bytes(inner.data, inner.length, tar);
}

static void write_mixed_kinds(struct buffer *tar)
{
	size_t at;

	(void)tar_member_bytes(tar, "././@LongLink", 'L', "long", 5);
	at = tar_header(tar, "a/", '\0', 0);
	tar_seal(tar, at);
}

static const struct row good[] = {
	{
		"plain",
		write_plain,
		"./ d 0\n./variables/ d 0\n./variables/variables.index f 5\n./empty f 0\n",
	},
	{"only end", write_only_end, ""},
	{"v7", write_v7, "a/ d 0\na/b f 0\n"},
	{"contiguous", write_contiguous, "a f 1\n"},
	{"prefix", write_prefix, "pre/fix/name f 0\n"},
	{"base 256", write_base256, "a f 5\n"},
	{"spaces", write_spaces, "a f 5\n"},
	{"others", write_others, "x o 0\nx o 0\nx o 0\nx o 0\nx o 0\nx o 0\nx o 0\nx o 0\n"},
};

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
	{"lone zeros", write_lone_zeros, "lone block"},
	{"behind the end", write_behind_end, "after the tar's end"},
	{"mixed kinds", write_mixed_kinds, "folder in one header"},
	{"gzip in gzip", write_gzip, "a gzip stream; take one of the two off with `gzip -dc < FILE"},
};

static void test_reads_every_dialect(void **state)
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

/* Cut anywhere, the tar in a whole gzip is broken, except where only zeros of its end are missing. */
static void test_notices_every_truncation_of_the_tar(void **state)
{
	AUTO_BUFFER struct buffer tar = {0};
	size_t members;

	write_plain(&tar);
	members = tar.length;
	tar_end(&tar);
	for (size_t length = 0; length <= tar.length; length += length < 1024 ? 1 : 61) {
		AUTO_BUFFER struct buffer out = {0};
		struct buffer cut = {.data = tar.data, .length = length};
		struct err err;
		bool at_a_member = length > 0 && length < members && length % 512 == 0 && length != 1536;

		assert_int_equal(list_tar(&cut, &out, &err),
			length >= members || at_a_member ? ARCHIVE_SOUND : ARCHIVE_TAR_BROKEN);
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

/* What is missing of the two blocks of zeros is told; what follows them in zeros is nobody's harm. */
static void test_tells_of_a_missing_end(void **state)
{
	static const struct {
		size_t zeros;
		bool lacks;
	} rows[] = {{0, true}, {1, true}, {512, true}, {1000, true}, {1024, false}, {1025, false},
		{10240, false}, {300000, false}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		AUTO_BUFFER struct buffer tar = {0};
		AUTO_BUFFER struct buffer packed = {0};
		struct memory_stream memory;
		struct archive_limits limits = {0};
		struct member member;
		struct err err;
		bool found;

		(void)tar_file(&tar, "a", "");
		tar_zeros(&tar, rows[i].zeros);
		gzip_bytes(tar.data, tar.length, &packed);
		AUTO_ARCHIVE struct archive *archive =
			archive_create(memory_stream_init(&memory, packed.data, packed.length), &limits);
		assert_true(archive_next(archive, &member, &found, &err) && found);
		assert_true(archive_next(archive, &member, &found, &err) && !found);
		assert_int_equal(archive_lacks_end(archive), rows[i].lacks);
		assert_int_equal(archive_unpacked_bytes(archive), tar.length);
		assert_false(archive_has_gzip_extra(archive));
	}
}

/* The CRC of each file, whatever the sizes of blocks and however much of it was read. */
static void test_knows_the_crc_of_each_file(void **state)
{
	static const size_t sizes[] = {0, 1, 511, 512, 513, 100, 128 << 10, (128 << 10) - 512, 300001, 7, 0};
	AUTO_FREE char *content = mem_zero(300100, 1);
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer packed = {0};
	struct archive_limits limits = {0};
	struct memory_stream memory;
	struct member member;
	const uint8_t *data;
	size_t length;
	struct err err;
	bool found;

	for (size_t i = 0; i < 300100; i++)
		content[i] = (char)(i * i >> 5);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		(void)tar_member_bytes(&tar, "x", '0', content + i, sizes[i] ? sizes[i] - (i < sizes[i]) : 0);
	tar_end(&tar);
	gzip_bytes(tar.data, tar.length, &packed);
	AUTO_ARCHIVE struct archive *archive =
		archive_create(memory_stream_init(&memory, packed.data, packed.length), &limits);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t size = sizes[i] ? sizes[i] - (i < sizes[i]) : 0;

		assert_true(archive_next(archive, &member, &found, &err) && found);
		if (i > 0) {
			size_t before = sizes[i - 1] ? sizes[i - 1] - (i - 1 < sizes[i - 1]) : 0;

			assert_int_equal(archive_passed_crc(archive),
				crc32(0, (const Bytef *)content + i - 1, (uInt)before));
		}
		assert_int_equal(member.size_bytes, size);
		if (i % 3 == 0)
			assert_true(stream_next(archive_content(archive), &data, &length, &err));
		if (i % 3 == 1)
			assert_true(stream_drain(archive_content(archive), &err));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_every_dialect),
		cmocka_unit_test(test_means_the_same_to_tarfile),
		cmocka_unit_test(test_refuses_what_readers_understand_differently),
		cmocka_unit_test(test_notices_every_truncation_of_the_tar),
		cmocka_unit_test(test_notices_every_truncation_of_the_gzip),
		cmocka_unit_test(test_tells_of_a_missing_end),
		cmocka_unit_test(test_knows_the_crc_of_each_file),
		cmocka_unit_test(test_refuses_a_size_beyond_the_limit_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
