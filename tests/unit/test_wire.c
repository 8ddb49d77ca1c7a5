/* SPDX-License-Identifier: Apache-2.0
 *
 * The wire format, field by field: what is malformed, what is skipped, what nests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/module/savedmodel/wire.h"

/* Gives one byte at a time, so that every read crosses a piece's end. */
struct dripping_stream {
	struct stream stream;
	const uint8_t *data;
	size_t length;
};

static bool drip(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct dripping_stream *dripping = (struct dripping_stream *)stream;

	(void)err;
	*data = dripping->data;
	*length = dripping->length > 0;
	dripping->data += *length;
	dripping->length -= *length;
	return true;
}

static struct stream *dripping_init(struct dripping_stream *dripping, const void *data, size_t length)
{
	*dripping = (struct dripping_stream){{drip}, data, length};
	return &dripping->stream;
}

/* Walks to the end, entering every field with an odd number, and writes down what it sees: "3{1=5 }2:4 ". */
static bool walk(struct wire *wire, char *seen, size_t size, struct err *err)
{
	struct wire_field field;
	bool found;

	for (;;) {
		if (!wire_next(wire, &field, &found, err))
			return false;
		if (!found)
			return true;
		if (field.type == WIRE_BYTES && field.number % 2) {
			(void)snprintf(seen + strlen(seen), size - strlen(seen), "%u{", field.number);
			if (!wire_enter(wire, err) || !walk(wire, seen, size, err))
				return false;
			wire_leave(wire);
			(void)snprintf(seen + strlen(seen), size - strlen(seen), "}");
		} else {
			(void)snprintf(seen + strlen(seen), size - strlen(seen), "%u%c%llu ", field.number,
				field.type == WIRE_BYTES ? ':' : '=', (unsigned long long)field.value);
		}
	}
}

static bool walk_bytes(const char *bytes, size_t length, char *seen, size_t size, struct err *err)
{
	struct dripping_stream dripping;
	struct wire wire;

	*seen = '\0';
	wire_init(&wire, dripping_init(&dripping, bytes, length));
	return walk(&wire, seen, size, err);
}

#define BYTES(text) (text), sizeof(text) - 1

static void reads_well_formed_messages(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *seen;
	} cases[] = {
		{BYTES(""), ""},
		{BYTES("\x08\x96\x01"), "1=150 "},
		{BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "1=18446744073709551615 "},
		{BYTES("\x08\x80\x80\x00"), "1=0 "},
		{BYTES("\x09\x01\x00\x00\x00\x00\x00\x00\x80"), "1=9223372036854775809 "},
		{BYTES("\x0d\x01\x02\x00\x00"), "1=513 "},
		{BYTES("\x12\x03"
		       "abc\x10\x07"),
			"2:3 2=7 "},
		{BYTES("\x0a\x06\x1a\x02\x08\x05\x08\x01\x08\x02"), "1{3{1=5 }1=1 }1=2 "},
		{BYTES("\x0a\x00\x0a\x02\x08\x01"), "1{}1{1=1 }"},
		{BYTES("\xfa\xff\xff\xff\x0f\x00"), "536870911{}"},
		{BYTES("\x0b\x08\x01\x14\x12\x02xy\x13\x08\x07\x14\x0c\x08\x01"),
			NULL}, /* groups 1 and 2 cross */
		{BYTES("\x0b\x08\x01\x13\x12\x02xy\x14\x0c\x08\x02"), "1=2 "},
		{BYTES("\x0a\x04\x13\x14\x08\x01"), "1{1=1 }"},
	};
	char seen[200];
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool done = walk_bytes(cases[i].bytes, cases[i].length, seen, sizeof seen, &err);

		assert_int_equal(done, cases[i].seen != NULL);
		if (done)
			assert_string_equal(seen, cases[i].seen);
	}
}

static void refuses_malformed_messages(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *what;
	} cases[] = {
		{BYTES("\x08"), "ends within a field"},
		{BYTES("\x08\x80"), "ends within a field"},
		{BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), "varint is too long"},
		{BYTES("\x80\x80\x80\x80\x80\x00\x00"), "varint is too long"},
		{BYTES("\x80\x80\x80\x80\x10\x00"), "impossible number"},
		{BYTES("\x00\x01"), "impossible number"},
		{BYTES("\x0e\x01"), "unknown wire type"},
		{BYTES("\x0f\x01"), "unknown wire type"},
		{BYTES("\x09\x01\x02"), "ends within a field"},
		{BYTES("\x12\x05"
		       "abc"),
			"ends within a field"},
		{BYTES("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "longer than 2 GiB"},
		{BYTES("\x12\x80\x80\x80\x80\x08"), "longer than 2 GiB"},
		{BYTES("\x0a\x02\x12\x05"
		       "abcdef"),
			"longer than the message"},
		{BYTES("\x0a\x01\x08\x01"), "longer than the message"},
		{BYTES("\x0a\x03\x0d\x01\x02\x03\x04"), "longer than the message"},
		{BYTES("\x0c"), "did not begin"},
		{BYTES("\x0b\x14"), "another group's number"},
		{BYTES("\x0b\x08\x01"), "ends within a field"},
		{BYTES("\x0a\x01\x0b\x0c"), "longer than the message"},
	};
	char seen[200];
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_false(walk_bytes(cases[i].bytes, cases[i].length, seen, sizeof seen, &err));
		assert_int_equal(err.code, ERR_INVALID_MODULE);
		if (!strstr(err.text, cases[i].what))
			fail_msg("case %zu: \"%s\" where \"%s\" belongs", i, err.text, cases[i].what);
	}
}

/* Nested messages of field 1, written from the inside out; each needs one byte of length up to 63 levels. */
static size_t nest(uint8_t *out, size_t size, unsigned depth)
{
	size_t at = size;

	for (unsigned i = 0; i < depth; i++) {
		size_t length = size - at;

		if (length > 127) {
			out[--at] = (uint8_t)(length >> 7);
			out[--at] = (uint8_t)(length & 0x7f) | 0x80;
		} else {
			out[--at] = (uint8_t)length;
		}
		out[--at] = 0x0a;
	}
	return at;
}

static void bounds_the_depth_of_messages(void **state)
{
	uint8_t bytes[1000];
	char seen[1000];
	struct err err;

	(void)state;
	for (unsigned depth = WIRE_DEPTH_MAX; depth <= WIRE_DEPTH_MAX + 1; depth++) {
		size_t at = nest(bytes, sizeof bytes, depth);
		bool done = walk_bytes((const char *)bytes + at, sizeof bytes - at, seen, sizeof seen, &err);

		assert_int_equal(done, depth == WIRE_DEPTH_MAX);
	}
	assert_non_null(strstr(err.text, "nested too deeply"));
}

static void bounds_the_depth_of_groups(void **state)
{
	char bytes[2 * (WIRE_DEPTH_MAX + 1)];
	char seen[10];
	struct err err;

	(void)state;
	for (size_t depth = WIRE_DEPTH_MAX; depth <= WIRE_DEPTH_MAX + 1; depth++) {
		memset(bytes, 0x0b, depth);
		memset(bytes + depth, 0x0c, depth);
		assert_int_equal(
			walk_bytes(bytes, 2 * depth, seen, sizeof seen, &err), depth == WIRE_DEPTH_MAX);
	}
	assert_non_null(strstr(err.text, "nested too deeply"));
}

static void reads_part_of_a_field_and_skips_the_rest(void **state)
{
	struct memory_stream memory;
	struct wire wire;
	struct wire_field field;
	char text[4] = "";
	bool found;
	struct err err;

	(void)state;
	wire_init(&wire, memory_stream_init(&memory, "\x0a\x08\x12\x06harbor\x08\x01", 12));
	assert_true(wire_next(&wire, &field, &found, &err) && found);
	assert_true(wire_enter(&wire, &err));
	assert_true(wire_next(&wire, &field, &found, &err) && found);
	assert_int_equal(field.value, 6);
	assert_true(wire_read(&wire, text, 3, &err));
	assert_string_equal(text, "har");
	wire_leave(&wire);
	assert_true(wire_next(&wire, &field, &found, &err) && found);
	assert_int_equal(field.value, 1);
	assert_true(wire_next(&wire, &field, &found, &err));
	assert_false(found);
}

static bool broken_next(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	(void)stream;
	(void)data;
	(void)length;
	return err_set(err, ERR_UPSTREAM_FAILED, "The line went dead.");
}

static void passes_on_the_errors_of_its_stream(void **state)
{
	struct stream broken = {broken_next};
	struct wire wire;
	struct wire_field field;
	bool found;
	struct err err;

	(void)state;
	wire_init(&wire, &broken);
	assert_false(wire_next(&wire, &field, &found, &err));
	assert_int_equal(err.code, ERR_UPSTREAM_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_well_formed_messages),
		cmocka_unit_test(refuses_malformed_messages),
		cmocka_unit_test(bounds_the_depth_of_messages),
		cmocka_unit_test(bounds_the_depth_of_groups),
		cmocka_unit_test(reads_part_of_a_field_and_skips_the_rest),
		cmocka_unit_test(passes_on_the_errors_of_its_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
