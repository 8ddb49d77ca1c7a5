/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/own.h"
#include "server/module/archives/archive.h"
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

/* A piece of a sparse file's map, as GNU's first form writes it. */
static void put_piece(struct buffer *tar, size_t at, long long offset, long long bytes)
{
	char digits[32];

	(void)snprintf(digits, sizeof digits, "%011llo", offset);
	memcpy(tar->data + at, digits, 12);
	(void)snprintf(digits, sizeof digits, "%011llo", bytes);
	memcpy(tar->data + at + 12, digits, 12);
}

/* The header of type S, without pieces. */
static size_t sparse_header(struct buffer *tar, const char *name, long long stored, long long real)
{
	size_t at = tar_header(tar, name, 'S', stored);
	char digits[32];

	memcpy(tar->data + at + 257, "ustar  \0", 8);
	(void)snprintf(digits, sizeof digits, "%011llo", real);
	memcpy(tar->data + at + 483, digits, 12);
	return at;
}

static void put_content(struct buffer *tar, const char *content)
{
	buffer_add_string(tar, content);
	tar_zeros(tar, -strlen(content) % TAR_WRITER_BLOCK);
}

static void write_sparse(struct buffer *tar)
{
	size_t at = sparse_header(tar, "s", 5, 3000);

	put_piece(tar, at + 386, 1000, 5);
	put_piece(tar, at + 410, 3000, 0);
	tar_seal(tar, at);
	put_content(tar, "hello");
	(void)tar_file(tar, "b", "");
}

static void write_long_sparse(struct buffer *tar)
{
	size_t at = sparse_header(tar, "s", 26, 26000);
	size_t block;

	for (int i = 0; i < 4; i++)
		put_piece(tar, at + 386 + 24 * (size_t)i, 1000LL * i, 1);
	tar->data[at + 482] = 1;
	tar_seal(tar, at);
	for (int first = 4; first < 26; first += 21) {
		block = tar->length;
		tar_zeros(tar, 512);
		for (int i = first; i < 26 && i < first + 21; i++)
			put_piece(tar, block + 24 * (size_t)(i - first), 1000LL * i, 1);
		tar->data[block + 504] = first + 21 < 26;
	}
	put_content(tar, "abcdefghijklmnopqrstuvwxyz");
	(void)tar_file(tar, "b", "");
}

/* The records of a pax header before a file with this content. */
static void write_with_records(
	struct buffer *tar, const char *const (*records)[2], size_t count, const char *content)
{
	struct buffer text = {0};

	for (size_t i = 0; i < count; i++)
		pax_record(&text, records[i][0], records[i][1]);
	(void)tar_member_bytes(tar, "PaxHeaders/x", 'x', text.data, text.length);
	buffer_finish(&text);
	(void)tar_file(tar, "GNUSparseFile.0/s", content);
	(void)tar_file(tar, "b", "");
}

#define WITH_RECORDS(name, content, ...) \
	static void name(struct buffer *tar) \
	{ \
		static const char *const records[][2] = {__VA_ARGS__}; \
		write_with_records(tar, records, sizeof records / sizeof *records, content); \
	}

#define OFFSET "GNU.sparse.offset"
#define BYTES "GNU.sparse.numbytes"
#define SIZE "GNU.sparse.size"
#define MAP "GNU.sparse.map"
#define NAME "GNU.sparse.name"
#define REAL_SIZE "GNU.sparse.realsize"

WITH_RECORDS(write_sparse_0_0, "hello", {SIZE, "3000"}, {"GNU.sparse.numblocks", "2"}, {OFFSET, "10"},
	{BYTES, "2"}, {OFFSET, "1000"}, {BYTES, "3"}, {"path", "s"})
WITH_RECORDS(write_sparse_0_1, "hello", {SIZE, "3000"}, {"GNU.sparse.numblocks", "3"}, {NAME, "s"},
	{MAP, "10,2,1000,3,3000,0"})
WITH_RECORDS(write_sparse_hole, "", {SIZE, "3000"}, {NAME, "s"}, {MAP, "3000,0"})
WITH_RECORDS(write_sparse_empty_map, "", {SIZE, "3000"}, {NAME, "s"}, {MAP, ""})

/* Form 1.0: the map is the content's first block. */
static void write_with_map(struct buffer *tar, const char *lines, const char *content)
{
	struct buffer text = {0};

	pax_record(&text, "GNU.sparse.major", "1");
	pax_record(&text, "GNU.sparse.minor", "0");
	pax_record(&text, NAME, "s");
	pax_record(&text, REAL_SIZE, "3000");
	(void)tar_member_bytes(tar, "PaxHeaders/x", 'x', text.data, text.length);
	buffer_finish(&text);
	(void)tar_header(tar, "GNUSparseFile.0/s", '0', (int64_t)(512 + strlen(content)));
	put_content(tar, lines);
	put_content(tar, content);
	(void)tar_file(tar, "b", "");
}

#define WITH_MAP(name, lines, content) \
	static void name(struct buffer *tar) \
	{ \
		write_with_map(tar, lines, content); \
	}

WITH_MAP(write_sparse_1_0, "3\n10\n2\n1000\n3\n3000\n0\n", "hello")

static void write_sparse_1_0_long(struct buffer *tar)
{
	struct buffer map = {0};
	struct buffer text = {0};

	pax_record(&text, "GNU.sparse.major", "1");
	pax_record(&text, "GNU.sparse.minor", "0");
	pax_record(&text, NAME, "s");
	pax_record(&text, REAL_SIZE, "200000");
	(void)tar_member_bytes(tar, "PaxHeaders/x", 'x', text.data, text.length);
	buffer_add_string(&map, "200\n");
	for (int i = 0; i < 200; i++)
		buffer_printf(&map, "%d\n1\n", 1000 * i);
	tar_zeros(&map, -map.length % TAR_WRITER_BLOCK);
	for (int i = 0; i < 200; i++)
		buffer_add_string(&map, "x");
	(void)tar_member_bytes(tar, "GNUSparseFile.0/s", '0', map.data, map.length);
	(void)tar_file(tar, "b", "");
	buffer_finish(&text);
	buffer_finish(&map);
}

static void write_global(struct buffer *tar)
{
	tar_pax(tar, 'g', "comment", "by hand");
	tar_pax(tar, 'g', "comment", "and again");
	(void)tar_file(tar, "a", "");
	(void)tar_file(tar, "b", "");
}

struct row {
	const char *label;
	void (*write)(struct buffer *tar);
	const char *expected; /* the listing; for faults, a part of the sentence */
};

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
	{"long name", write_long_name, NULL},
	{"pax path", write_pax_path, NULL},
	{"pax size", write_pax_size, "a f 5\nb f 0\n"},
	{"pax other", write_pax_other, "a f 1\n"},
	{"base 256", write_base256, "a f 5\n"},
	{"spaces", write_spaces, "a f 5\n"},
	{"others", write_others, "x o 0\nx o 0\nx o 0\nx o 0\nx o 0\nx o 0\nx o 0\nx o 0\n"},
	{"global", write_global, "a f 0\nb f 0\n"},
	{"sparse", write_sparse, "s f 3000\nb f 0\n"},
	{"long sparse", write_long_sparse, "s f 26000\nb f 0\n"},
	{"sparse 0.0", write_sparse_0_0, "s f 3000\nb f 0\n"},
	{"sparse 0.1", write_sparse_0_1, "s f 3000\nb f 0\n"},
	{"sparse hole", write_sparse_hole, "s f 3000\nb f 0\n"},
	{"sparse 1.0", write_sparse_1_0, "s f 3000\nb f 0\n"},
	{"long sparse 1.0", write_sparse_1_0_long, "s f 200000\nb f 0\n"},
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
		list_by_python(path, &theirs);
		assert_string_equal(buffer_string(&theirs), buffer_string(&ours));
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

static void write_posix_sparse(struct buffer *tar)
{
	(void)tar_header(tar, "s", 'S', 0);
}

/* A map of these two pieces, in a file of 100 bytes of which 5 are stored. */
static void write_two_pieces(struct buffer *tar, const long long pieces[4])
{
	size_t at = sparse_header(tar, "s", 5, 100);

	put_piece(tar, at + 386, pieces[0], pieces[1]);
	put_piece(tar, at + 410, pieces[2], pieces[3]);
	tar_seal(tar, at);
	put_content(tar, "hello");
}

#define PIECES(name, ...) \
	static void name(struct buffer *tar) \
	{ \
		write_two_pieces(tar, (const long long[4]){__VA_ARGS__}); \
	}

PIECES(write_overlap, 0, 3, 2, 2)
PIECES(write_descending, 50, 3, 2, 2)
PIECES(write_empty_piece, 2, 0, 10, 5)
PIECES(write_early_end, 0, 5, 90, 0)
PIECES(write_outside, 0, 2, 98, 3)
PIECES(write_less_stored, 0, 2, 98, 2)

static void write_pieces_behind_the_last(struct buffer *tar)
{
	size_t at = sparse_header(tar, "s", 5, 100);

	put_piece(tar, at + 386, 0, 5);
	put_piece(tar, at + 434, 50, 5);
	tar_seal(tar, at);
	put_content(tar, "hello");
}

static void write_garbage_piece(struct buffer *tar)
{
	size_t at = sparse_header(tar, "s", 5, 100);

	memcpy(tar->data + at + 386, "garbage", 7);
	memcpy(tar->data + at + 398, "garbage", 7);
	tar_seal(tar, at);
	put_content(tar, "hello");
}

WITH_RECORDS(write_sparse_and_size, "hello", {SIZE, "100"}, {NAME, "s"}, {MAP, "0,5"}, {"size", "5"})
WITH_RECORDS(write_sparse_two_names, "hello", {SIZE, "100"}, {NAME, "s"}, {MAP, "0,5"}, {"path", "t"})
WITH_RECORDS(write_sparse_odd_map, "hello", {SIZE, "100"}, {MAP, "0,5,7"})
WITH_RECORDS(write_sparse_comma, "hello", {SIZE, "100"}, {MAP, "0,5,"})
WITH_RECORDS(write_sparse_signs, "hello", {SIZE, "100"}, {MAP, "+0,5"})
WITH_RECORDS(write_sparse_count, "hello", {SIZE, "100"}, {MAP, "0,5"}, {"GNU.sparse.numblocks", "2"})
WITH_RECORDS(write_sparse_lone_offset, "hello", {SIZE, "100"}, {OFFSET, "0"}, {BYTES, "5"}, {OFFSET, "9"})
WITH_RECORDS(write_sparse_smuggled, "hello", {SIZE, "100"}, {OFFSET, "0"}, {BYTES, "5"},
	{"comment", "\n25 GNU.sparse.offset=50\n"})
WITH_RECORDS(write_sparse_version, "hello", {"GNU.sparse.major", "2"}, {"GNU.sparse.minor", "0"},
	{REAL_SIZE, "100"})
WITH_RECORDS(write_sparse_unknown, "hello", {"GNU.sparse.colour", "red"})
WITH_RECORDS(write_sparse_major_only, "hello", {"GNU.sparse.major", "1"})
WITH_RECORDS(write_sparse_twice, "hello", {SIZE, "100"}, {SIZE, "200"}, {MAP, "0,5"})
WITH_MAP(write_map_garbage, "1\n0x0\n5\n", "hello")
WITH_MAP(write_map_short, "1\n0\n", "hello")
WITH_MAP(write_map_endless, "99999999999999999999\n", "hello")
WITH_MAP(write_map_not_stored, "1\n0\n4\n", "hello")

static void write_sparse_folder(struct buffer *tar)
{
	tar_pax(tar, 'x', "GNU.sparse.size", "5");
	(void)tar_folder(tar, "a");
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
	{"dangling global", write_dangling_global, "no member behind"},
	{"many globals", write_many_globals, "More than 100"},
	{"gzip in gzip", write_gzip, "a gzip stream; take one of the two off with `gzip -dc < FILE"},
	{"POSIX sparse", write_posix_sparse, "sparse file of a kind"},
	{"overlap", write_overlap, "ascend"},
	{"descending", write_descending, "ascend"},
	{"empty piece", write_empty_piece, "ascend"},
	{"early end", write_early_end, "leads out"},
	{"outside", write_outside, "leads out"},
	{"less stored", write_less_stored, "not of what is stored"},
	{"behind the last", write_pieces_behind_the_last, "gaps"},
	{"garbage piece", write_garbage_piece, "garbage"},
	{"sparse and size", write_sparse_and_size, "differently"},
	{"sparse, two names", write_sparse_two_names, "two names"},
	{"sparse, odd map", write_sparse_odd_map, "malformed"},
	{"sparse, comma", write_sparse_comma, "malformed"},
	{"sparse, signs", write_sparse_signs, "malformed"},
	{"sparse, count", write_sparse_count, "another number"},
	{"sparse, lone offset", write_sparse_lone_offset, "incomplete"},
	{"sparse, smuggled", write_sparse_smuggled, "differently"},
	{"sparse, version", write_sparse_version, "unknown form"},
	{"sparse, unknown", write_sparse_unknown, "no reader knows"},
	{"sparse, major only", write_sparse_major_only, "incomplete"},
	{"sparse, twice", write_sparse_twice, "twice"},
	{"sparse, empty map", write_sparse_empty_map, "malformed"},
	{"map, garbage", write_map_garbage, "garbage"},
	{"map, short", write_map_short, "garbage"},
	{"map, endless", write_map_endless, "garbage"},
	{"map, not stored", write_map_not_stored, "not of what is stored"},
	{"sparse folder", write_sparse_folder, "two kinds"},
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

static void read_all(struct archive *archive, struct buffer *out)
{
	const uint8_t *data;
	size_t length;
	struct err err;

	do {
		assert_true(stream_next(archive_content(archive), &data, &length, &err));
		buffer_add(out, data, length);
	} while (length > 0);
}

/* Holes are read as zeros, and count as such. */
static void test_expands_sparse_files(void **state)
{
	static void (*const writers[])(struct buffer *) = {
		write_sparse_0_0, write_sparse_0_1, write_sparse_1_0};

	for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
		AUTO_BUFFER struct buffer tar = {0};
		AUTO_BUFFER struct buffer packed = {0};
		AUTO_BUFFER struct buffer content = {0};
		struct archive_limits limits = {0};
		struct memory_stream memory;
		struct member member;
		struct err err;
		bool found;

		writers[i](&tar);
		tar_end(&tar);
		gzip_bytes(tar.data, tar.length, &packed);
		AUTO_ARCHIVE struct archive *archive =
			archive_create(memory_stream_init(&memory, packed.data, packed.length), &limits);
		assert_true(archive_next(archive, &member, &found, &err) && found && member.is_sparse);
		assert_string_equal(member.name, "s");
		read_all(archive, &content);
		assert_int_equal(content.length, 3000);
		for (size_t at = 0; at < content.length; at++) {
			int expected = at == 10 || at == 11      ? "he"[at - 10]
				       : at >= 1000 && at < 1003 ? "llo"[at - 1000]
								 : 0;

			assert_int_equal(content.data[at], expected);
		}
	}
}

static void test_bounds_holes(void **state)
{
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer packed = {0};
	AUTO_BUFFER struct buffer out = {0};
	struct archive_limits limits = {.ratio = 200};
	struct memory_stream memory;
	struct member member;
	struct err err;
	bool found;
	size_t at = sparse_header(&tar, "s", 0, 6LL << 30);

	put_piece(&tar, at + 386, 6LL << 30, 0);
	tar_seal(&tar, at);
	tar_end(&tar);
	gzip_bytes(tar.data, tar.length, &packed);
	assert_int_equal(list(memory_stream_init(&memory, packed.data, packed.length), 1 << 30, &out, &err),
		ARCHIVE_TOO_LARGE);
	AUTO_ARCHIVE struct archive *archive =
		archive_create(memory_stream_init(&memory, packed.data, packed.length), &limits);
	assert_true(archive_next(archive, &member, &found, &err) && found);
	assert_false(archive_next(archive, &member, &found, &err));
	assert_int_equal(archive_fault(archive), ARCHIVE_RATIO);
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
		cmocka_unit_test(test_tells_of_a_missing_end),
		cmocka_unit_test(test_knows_the_crc_of_each_file),
		cmocka_unit_test(test_expands_sparse_files),
		cmocka_unit_test(test_bounds_holes),
		cmocka_unit_test(test_refuses_a_size_beyond_the_limit_at_once),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
