/* SPDX-License-Identifier: Apache-2.0
 *
 * Sparse files in tars: maps of each form, and those that are not trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "server/module/archives/gunzip.h"
#include "tests/unit/archive_rows.h"

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

static void write_posix_sparse(struct buffer *tar)
{
	(void)tar_header(tar, "s", 'S', 0);
}

/* A map of these two pieces, in a file of this size. */
static void write_two_pieces(
	struct buffer *tar, long long real, const char *stored, const long long pieces[4])
{
	size_t at = sparse_header(tar, "s", (long long)strlen(stored), real);

	put_piece(tar, at + 386, pieces[0], pieces[1]);
	put_piece(tar, at + 410, pieces[2], pieces[3]);
	tar_seal(tar, at);
	put_content(tar, stored);
}

#define PIECES_OF(name, real, stored, ...) \
	static void name(struct buffer *tar) \
	{ \
		write_two_pieces(tar, real, stored, (const long long[4]){__VA_ARGS__}); \
	}
#define PIECES(name, ...) PIECES_OF(name, 100, "hello", __VA_ARGS__)

PIECES(write_overlap, 0, 3, 2, 2)
PIECES(write_descending, 50, 3, 2, 2)
PIECES(write_empty_piece, 2, 0, 10, 5)
PIECES(write_early_end, 0, 5, 90, 0)
PIECES(write_outside, 0, 2, 98, 3)
PIECES(write_less_stored, 0, 2, 98, 2)

/* As bsdtar writes a file that is nothing but a hole. */
PIECES_OF(write_one_hole, 3000, "", 0, 0, 3000, 0)
PIECES(write_empty_within, 0, 5, 3, 0)
PIECES(write_empty_behind, 0, 5, 101, 0)
WITH_RECORDS(write_one_hole_0_0, "", {SIZE, "3000"}, {"GNU.sparse.numblocks", "2"}, {OFFSET, "0"},
	{BYTES, "0"}, {OFFSET, "3000"}, {BYTES, "0"}, {"path", "s"})
WITH_RECORDS(write_one_hole_0_1, "", {SIZE, "3000"}, {"GNU.sparse.numblocks", "2"}, {NAME, "s"},
	{MAP, "0,0,3000,0"})
WITH_RECORDS(write_empty_pieces, "hello", {SIZE, "3000"}, {"GNU.sparse.numblocks", "6"}, {NAME, "s"},
	{MAP, "0,0,0,0,10,5,20,0,20,0,3000,0"})
WITH_MAP(write_one_hole_1_0, "2\n0\n0\n3000\n0\n", "")
WITH_MAP(write_no_pieces_1_0, "0\n", "")

/* Four empty pieces in the header, then one at the file's beginning, which tarfile leaves out. */
static void write_late_beginning(struct buffer *tar)
{
	size_t at = sparse_header(tar, "s", 5, 100);
	size_t block;

	for (size_t i = 0; i < 4; i++)
		put_piece(tar, at + 386 + 24 * i, 0, 0);
	tar->data[at + 482] = 1;
	tar_seal(tar, at);
	block = tar->length;
	tar_zeros(tar, TAR_WRITER_BLOCK);
	put_piece(tar, block, 0, 5);
	put_content(tar, "hello");
}

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

static const struct row good[] = {
	{"sparse", write_sparse, "s f 3000\nb f 0\n"},
	{"long sparse", write_long_sparse, "s f 26000\nb f 0\n"},
	{"sparse 0.0", write_sparse_0_0, "s f 3000\nb f 0\n"},
	{"sparse 0.1", write_sparse_0_1, "s f 3000\nb f 0\n"},
	{"sparse hole", write_sparse_hole, "s f 3000\nb f 0\n"},
	{"sparse 1.0", write_sparse_1_0, "s f 3000\nb f 0\n"},
	{"long sparse 1.0", write_sparse_1_0_long, "s f 200000\nb f 0\n"},
	{"empty piece", write_empty_piece, "s f 100\n"},
	{"early end", write_early_end, "s f 100\n"},
	{"empty pieces", write_empty_pieces, "s f 3000\nb f 0\n"},
	{"one hole", write_one_hole, "s f 3000\n"},
	{"one hole, 0.0", write_one_hole_0_0, "s f 3000\nb f 0\n"},
	{"one hole, 0.1", write_one_hole_0_1, "s f 3000\nb f 0\n"},
	{"one hole, 1.0", write_one_hole_1_0, "s f 3000\nb f 0\n"},
	{"one hole, no pieces", write_no_pieces_1_0, "s f 3000\nb f 0\n"},
};

static const struct row broken[] = {
	{"POSIX sparse", write_posix_sparse, "sparse file of a kind"},
	{"overlap", write_overlap, "ascend"},
	{"descending", write_descending, "ascend"},
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
	{"empty piece within another", write_empty_within, "ascend"},
	{"empty piece behind the end", write_empty_behind, "leads out"},
	{"beginning in a block", write_late_beginning, "differently"},
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
	struct archive_limits limits = {.max_ratio = 200};
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

/* A file that begins with a hole, and has five bytes behind it. */
static void pack_hole(long long real, struct buffer *packed)
{
	AUTO_BUFFER struct buffer tar = {0};
	size_t at = sparse_header(&tar, "s", 5, real);

	put_piece(&tar, at + 386, real - 5, 5);
	tar_seal(&tar, at);
	put_content(&tar, "hello");
	tar_end(&tar);
	gzip_bytes(tar.data, tar.length, packed);
}

/* How much of a file's content is handed out before it ends or fails. */
static int64_t count_content(const struct buffer *packed, const struct archive_limits *limits, bool *whole)
{
	struct memory_stream memory;
	struct member member;
	const uint8_t *data;
	size_t length = 1;
	int64_t count = 0;
	struct err err;
	bool found;
	AUTO_ARCHIVE struct archive *archive =
		archive_create(memory_stream_init(&memory, packed->data, packed->length), limits);

	assert_true(archive_next(archive, &member, &found, &err) && found && member.is_sparse);
	*whole = true;
	while (*whole && length > 0) {
		*whole = stream_next(archive_content(archive), &data, &length, &err);
		count += *whole ? (int64_t)length : 0;
	}
	if (!*whole)
		assert_int_equal(archive_fault(archive), ARCHIVE_RATIO);
	return count;
}

/* Before the bytes behind it were read, whoever reads a hole is given no more of it than the limits allow. */
static void test_hands_out_no_more_of_a_hole_than_the_ratio_allows(void **state)
{
	const struct archive_limits limits = {.max_unpacked_bytes = 64LL << 30, .max_ratio = 200};
	AUTO_BUFFER struct buffer bomb = {0};
	AUTO_BUFFER struct buffer file = {0};
	bool whole;

	pack_hole(8LL << 30, &bomb);
	assert_in_range(count_content(&bomb, &limits, &whole), 1, GUNZIP_RATIO_FROM_BYTES);
	assert_false(whole);
	pack_hole(15LL << 20, &file);
	assert_int_equal(count_content(&file, &limits, &whole), 15LL << 20);
	assert_true(whole);
}

/* An archive is judged the same whether or not anybody reads its files: what was inspected can be unpacked.
 */
static void test_judges_holes_the_same_read_or_not(void **state)
{
	const struct archive_limits limits = {.max_ratio = 200};

	for (long long real = 1 << 20; real <= 1LL << 33; real *= 2) {
		AUTO_BUFFER struct buffer packed = {0};
		struct memory_stream memory;
		struct member member;
		struct err err;
		bool whole;
		bool found;

		pack_hole(real, &packed);
		(void)count_content(&packed, &limits, &whole);
		AUTO_ARCHIVE struct archive *archive =
			archive_create(memory_stream_init(&memory, packed.data, packed.length), &limits);
		assert_true(archive_next(archive, &member, &found, &err) && found);
		assert_int_equal(archive_next(archive, &member, &found, &err), whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_every_form),
		cmocka_unit_test(test_means_the_same_to_tarfile),
		cmocka_unit_test(test_refuses_what_readers_understand_differently),
		cmocka_unit_test(test_expands_sparse_files),
		cmocka_unit_test(test_bounds_holes),
		cmocka_unit_test(test_hands_out_no_more_of_a_hole_than_the_ratio_allows),
		cmocka_unit_test(test_judges_holes_the_same_read_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
