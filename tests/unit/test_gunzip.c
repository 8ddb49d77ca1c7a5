/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/own.h"
#include "server/module/archives/gunzip.h"
#include "tests/unit/tar_writer.h"

static bool drain(struct gunzip *gunzip, struct buffer *out, struct err *err)
{
	const uint8_t *data;
	size_t length;

	do {
		if (!stream_next(gunzip_stream(gunzip), &data, &length, err))
			return false;
		if (length > 0)
			buffer_add(out, data, length);
	} while (length > 0);
	return true;
}

static enum gunzip_fault unpack(const void *bytes, size_t length, struct buffer *out, struct err *err)
{
	struct memory_stream memory;
	AUTO_GUNZIP struct gunzip *gunzip = gunzip_create(memory_stream_init(&memory, bytes, length), 0, 0);
	struct err again;

	if (drain(gunzip, out, err))
		assert_int_equal(gunzip_bytes_in(gunzip), length);
	else
		assert_false(drain(gunzip, out, &again));
	return gunzip_fault(gunzip);
}

/* The bytes in two pieces. */
struct cut_stream {
	struct stream stream;
	const char *data;
	size_t length;
	size_t cut;
};

static bool next_half(struct stream *base, const uint8_t **data, size_t *length, struct err *err)
{
	struct cut_stream *stream = (struct cut_stream *)base;

	*data = (const uint8_t *)stream->data;
	*length = stream->cut;
	stream->data += stream->cut;
	stream->length -= stream->cut;
	stream->cut = stream->length;
	return true;
}

static struct stream *cut_stream_init(struct cut_stream *stream, const char *data, size_t length, size_t cut)
{
	*stream = (struct cut_stream){{next_half}, data, length, cut};
	return &stream->stream;
}

/* Bytes that do not compress away, so that several blocks come out. */
static void fill(struct buffer *out, size_t length)
{
	uint32_t state = 1;

	for (size_t i = 0; i < length; i++) {
		char byte;

		state = state * 1664525 + 1013904223;
		byte = (char)(state >> 24);
		buffer_add(out, &byte, 1);
	}
}

static void test_unpacks(void **state)
{
	static const size_t lengths[] = {0, 1, 511, 131071, 131072, 131073, 1000000};

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		AUTO_BUFFER struct buffer plain = {0};
		AUTO_BUFFER struct buffer packed = {0};
		AUTO_BUFFER struct buffer out = {0};
		struct err err;

		fill(&plain, lengths[i]);
		gzip_bytes(plain.data, plain.length, &packed);
		assert_int_equal(unpack(packed.data, packed.length, &out, &err), GUNZIP_SOUND);
		assert_int_equal(out.length, plain.length);
		assert_memory_equal(buffer_string(&out), buffer_string(&plain), plain.length);
	}
}

static void test_takes_bytes_one_by_one(void **state)
{
	AUTO_BUFFER struct buffer packed = {0};
	AUTO_BUFFER struct buffer out = {0};
	struct trickle trickle;
	struct err err;

	gzip_bytes("hello", 5, &packed);
	AUTO_GUNZIP struct gunzip *gunzip =
		gunzip_create(trickle_init(&trickle, packed.data, packed.length, false), 0, 0);
	assert_true(drain(gunzip, &out, &err));
	assert_string_equal(out.data, "hello");
	assert_int_equal(gunzip_bytes_out(gunzip), 5);
}

static void test_passes_the_source_s_error_on(void **state)
{
	AUTO_BUFFER struct buffer packed = {0};
	AUTO_BUFFER struct buffer out = {0};
	struct trickle trickle;
	struct err err;

	gzip_bytes("hello", 5, &packed);
	for (size_t length = 0; length <= packed.length; length++) {
		AUTO_GUNZIP struct gunzip *gunzip =
			gunzip_create(trickle_init(&trickle, packed.data, length, true), 0, 0);

		assert_false(drain(gunzip, &out, &err));
		assert_int_equal(gunzip_fault(gunzip), GUNZIP_SOURCE_FAILED);
		assert_string_equal(err.text, "The disk is on fire.");
	}
}

/* With every field that RFC 1952 knows, behind every cut between two pieces. */
static void test_reads_every_header(void **state)
{
	static const char head[] = "\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x03\0abcname\0comment";
	AUTO_BUFFER struct buffer packed = {0};
	AUTO_BUFFER struct buffer gzip = {0};
	uLong crc = crc32(0, (const Bytef *)head, sizeof head);
	struct err err;
	const char field[2] = {(char)crc, (char)(crc >> 8)};

	gzip_bytes("hello", 5, &packed);
	buffer_add(&gzip, head, sizeof head);
	buffer_add(&gzip, field, sizeof field);
	buffer_add(&gzip, packed.data + 10, packed.length - 10);
	for (size_t cut = 1; cut <= gzip.length; cut++) {
		AUTO_BUFFER struct buffer out = {0};
		struct cut_stream cut_stream;
		AUTO_GUNZIP struct gunzip *gunzip =
			gunzip_create(cut_stream_init(&cut_stream, gzip.data, gzip.length, cut), 0, 0);

		assert_true(drain(gunzip, &out, &err));
		assert_string_equal(out.data, "hello");
		assert_int_equal(gunzip_bytes_in(gunzip), gzip.length);
	}
	gzip.data[sizeof head] ^= 1;
	assert_int_equal(unpack(gzip.data, gzip.length, &packed, &err), GUNZIP_BROKEN);
	assert_non_null(strstr(err.text, "header crc"));
}

static void test_refuses_damaged_headers(void **state)
{
	static const struct {
		size_t at;
		char value;
		const char *complaint;
	} rows[] = {{1, 0, "not gzip"}, {2, 9, "method"}, {3, '\x20', "flags"}, {3, '\x80', "flags"}};
	struct err err;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		AUTO_BUFFER struct buffer packed = {0};
		AUTO_BUFFER struct buffer out = {0};

		gzip_bytes("hello", 5, &packed);
		packed.data[rows[i].at] = rows[i].value;
		assert_int_equal(unpack(packed.data, packed.length, &out, &err), GUNZIP_BROKEN);
		assert_non_null(strstr(err.text, rows[i].complaint));
	}
}

static void test_notices_every_truncation(void **state)
{
	AUTO_BUFFER struct buffer packed = {0};
	struct err err;

	gzip_bytes("hello, hello, hello", 19, &packed);
	for (size_t length = 0; length < packed.length; length++) {
		AUTO_BUFFER struct buffer out = {0};

		assert_int_equal(unpack(packed.data, length, &out, &err), GUNZIP_BROKEN);
		assert_int_equal(err.code, ERR_INVALID_MODULE);
		assert_non_null(strstr(err.text, length ? "cut off" : "empty"));
	}
}

static void test_notices_damage(void **state)
{
	AUTO_BUFFER struct buffer packed = {0};
	struct err err;

	gzip_bytes("hello", 5, &packed);
	for (size_t back = 1; back <= 8; back++) {
		AUTO_BUFFER struct buffer out = {0};

		packed.data[packed.length - back] ^= 1;
		assert_int_equal(unpack(packed.data, packed.length, &out, &err), GUNZIP_BROKEN);
		assert_non_null(strstr(err.text, back <= 4 ? "length" : "CRC"));
		packed.data[packed.length - back] ^= 1;
	}
}

static void test_notices_what_lies_behind(void **state)
{
	AUTO_BUFFER struct buffer packed = {0};
	AUTO_BUFFER struct buffer twice = {0};
	AUTO_BUFFER struct buffer out = {0};
	struct err err;

	gzip_bytes("hello", 5, &packed);
	buffer_add(&twice, packed.data, packed.length);
	buffer_add(&twice, packed.data, packed.length);
	assert_int_equal(unpack(twice.data, twice.length, &out, &err), GUNZIP_BROKEN);
	assert_non_null(strstr(err.text, "after the end"));
	assert_int_equal(unpack(twice.data, packed.length + 1, &out, &err), GUNZIP_BROKEN);
	buffer_add(&packed, "\0\0\1\0", 4);
	assert_int_equal(unpack(packed.data, packed.length, &out, &err), GUNZIP_BROKEN);
	assert_non_null(strstr(err.text, "are bytes"));
}

/* bsdtar fills its last record up with them. */
static void test_takes_zeros_behind(void **state)
{
	static const size_t counts[] = {1, 7, 512, 10240, 300000};

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		AUTO_FREE char *zeros = mem_zero(counts[i], 1);
		AUTO_BUFFER struct buffer packed = {0};
		AUTO_BUFFER struct buffer out = {0};
		struct trickle trickle;
		struct err err;

		gzip_bytes("hello", 5, &packed);
		buffer_add(&packed, zeros, counts[i]);
		assert_int_equal(unpack(packed.data, packed.length, &out, &err), GUNZIP_SOUND);
		assert_int_equal(out.length, 5);
		AUTO_GUNZIP struct gunzip *gunzip =
			gunzip_create(trickle_init(&trickle, packed.data, packed.length, false), 0, 0);
		assert_true(drain(gunzip, &out, &err));
		assert_int_equal(gunzip_bytes_in(gunzip), packed.length);
		packed.data[packed.length - 1] = 1;
		assert_int_equal(unpack(packed.data, packed.length, &out, &err), GUNZIP_BROKEN);
	}
}

/* A gzip stream whose header has an extra field of so many bytes, and a name. */
static void gzip_with_extra(size_t extra, struct buffer *out)
{
	AUTO_BUFFER struct buffer plain = {0};
	char head[] = "\x1f\x8b\x08\x0c\0\0\0\0\0\xff";
	char length[2] = {(char)(extra & 0xff), (char)(extra >> 8)};

	gzip_bytes("hello", 5, &plain);
	buffer_add(out, head, 10);
	buffer_add(out, length, 2);
	for (size_t i = 0; i < extra; i++)
		buffer_add(out, "x", 1);
	buffer_add(out, "name", 5);
	buffer_add(out, plain.data + 10, plain.length - 10);
}

static void test_tells_of_extra_fields(void **state)
{
	static const size_t lengths[] = {0, 1, 300, 65535};

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		AUTO_BUFFER struct buffer packed = {0};
		AUTO_BUFFER struct buffer out = {0};
		struct trickle trickle;
		struct err err;

		gzip_with_extra(lengths[i], &packed);
		AUTO_GUNZIP struct gunzip *gunzip =
			gunzip_create(trickle_init(&trickle, packed.data, packed.length, false), 0, 0);
		assert_true(drain(gunzip, &out, &err));
		assert_string_equal(out.data, "hello");
		assert_int_equal(gunzip_has_extra(gunzip), lengths[i] > 0);
		assert_int_equal(gunzip_crc(gunzip), crc32(0, (const Bytef *)"hello", 5));
	}
}

static void test_names_what_it_is_instead(void **state)
{
	static const struct {
		const char *bytes;
		const char *meaning;
	} rows[] = {{"<!DOCTYPE html>", "HTML"}, {"PK\x03\x04", "zip"}, {"BZh91AY", "bzip2"},
		{"{\"error\":1}", "JSON"}, {"\x1c\x01\x01\x01TFL3", ".tflite"}, {"q", "something else"},
		{"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"},
		{"7z\xbc\xaf\x27\x1c", "7z archive"},
		{"\xfd"
		 "7zXZ",
			"xz -dc < FILE"}};
	AUTO_BUFFER struct buffer out = {0};
	AUTO_BUFFER struct buffer tar = {0};
	struct err err;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(unpack(rows[i].bytes, strlen(rows[i].bytes), &out, &err), GUNZIP_BROKEN);
		assert_non_null(strstr(err.text, rows[i].meaning));
	}
	(void)tar_file(&tar, "x", "y");
	assert_int_equal(unpack(tar.data, tar.length, &out, &err), GUNZIP_BROKEN);
	assert_non_null(strstr(err.text, "plain tar"));
}

static void test_stops_bombs(void **state)
{
	enum { BOMB = 64 << 20 };
	AUTO_FREE char *zeros = mem_zero(BOMB, 1);
	AUTO_BUFFER struct buffer packed = {0};
	struct memory_stream memory;
	const struct {
		int64_t max_bytes;
		int64_t max_ratio;
		enum gunzip_fault fault;
		int64_t most;
	} rows[] = {{BOMB, 0, GUNZIP_SOUND, BOMB}, {BOMB - 1, 0, GUNZIP_TOO_LARGE, BOMB},
		{1 << 20, 100, GUNZIP_TOO_LARGE, 2 << 20},
		{0, 100, GUNZIP_RATIO, GUNZIP_RATIO_FROM_BYTES + (1 << 20)}, {0, 2000, GUNZIP_SOUND, BOMB}};

	gzip_bytes(zeros, BOMB, &packed);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		AUTO_GUNZIP struct gunzip *gunzip =
			gunzip_create(memory_stream_init(&memory, packed.data, packed.length),
				rows[i].max_bytes, rows[i].max_ratio);
		struct err err;

		assert_int_equal(stream_drain(gunzip_stream(gunzip), &err), rows[i].fault == GUNZIP_SOUND);
		assert_int_equal(gunzip_fault(gunzip), rows[i].fault);
		assert_true(gunzip_bytes_out(gunzip) <= rows[i].most);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unpacks),
		cmocka_unit_test(test_takes_bytes_one_by_one),
		cmocka_unit_test(test_passes_the_source_s_error_on),
		cmocka_unit_test(test_reads_every_header),
		cmocka_unit_test(test_refuses_damaged_headers),
		cmocka_unit_test(test_notices_every_truncation),
		cmocka_unit_test(test_notices_damage),
		cmocka_unit_test(test_notices_what_lies_behind),
		cmocka_unit_test(test_takes_zeros_behind),
		cmocka_unit_test(test_tells_of_extra_fields),
		cmocka_unit_test(test_names_what_it_is_instead),
		cmocka_unit_test(test_stops_bombs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
