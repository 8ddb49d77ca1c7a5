/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/protocheck.h"

#include <string.h>

#include "common/utf8.h"

enum { PIECE_BYTES = 256, CHARACTER_BYTES_MAX = 4, VARINT_BYTES_MAX = 10 };

static bool malformed(const struct proto_field *field, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID_MODULE, "The field %s %s, so that TensorFlow does not read the file.",
		field->name, what);
}

static size_t length_by_lead(uint8_t lead)
{
	return lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
}

/* How many of the bytes, which zeros follow, are whole characters; *is_text is false where one is none. */
static size_t count_text(const uint8_t *bytes, size_t length, bool is_last, bool *is_text)
{
	size_t at = 0;
	uint32_t code;

	*is_text = true;
	while (at < length) {
		size_t wanted = length_by_lead(bytes[at]);

		if (wanted > length - at && !is_last)
			return at;
		/* A NUL is a character like others. */
		if (wanted > 1 && utf8_decode((const char *)bytes + at, &code) != wanted) {
			*is_text = false;
			return at;
		}
		at += wanted;
	}
	return at;
}

/* Not inlined: its buffer would be on the stack once for each level of the recursion. */
__attribute__((noinline)) static bool check_string(
	const struct proto_field *field, uint64_t length, struct wire *wire, struct err *err)
{
	uint8_t piece[PIECE_BYTES + CHARACTER_BYTES_MAX];
	size_t carried = 0;

	while (length > 0) {
		size_t more = length < PIECE_BYTES - carried ? (size_t)length : PIECE_BYTES - carried;
		size_t whole;
		bool is_text;

		if (!wire_read(wire, piece + carried, more, err))
			return false;
		length -= more;
		more += carried;
		memset(piece + more, 0, CHARACTER_BYTES_MAX);
		whole = count_text(piece, more, length == 0, &is_text);
		if (!is_text)
			return malformed(field, "is not UTF-8", err);
		carried = more - whole;
		memmove(piece, piece + whole, carried);
	}
	return true;
}

/* Numbers behind each other, each of which must end. */
static bool check_varints(
	const struct proto_field *field, uint64_t length, struct wire *wire, struct err *err)
{
	int run = 0;

	while (length > 0) {
		uint8_t piece[PIECE_BYTES];
		size_t more = length < sizeof piece ? (size_t)length : sizeof piece;

		if (!wire_read(wire, piece, more, err))
			return false;
		length -= more;
		for (size_t i = 0; i < more; i++) {
			run = piece[i] & 0x80 ? run + 1 : 0;
			if (run == VARINT_BYTES_MAX)
				return malformed(field, "has a number that is too long", err);
		}
	}
	return run == 0 || malformed(field, "ends within a number", err);
}

static bool check_packed(const struct proto_field *field, uint64_t length, struct wire *wire, struct err *err)
{
	switch (field->kind) {
	case PROTO_FLOAT:
		return length % 4 == 0 || malformed(field, "ends within a number", err);
	case PROTO_DOUBLE:
	case PROTO_FIXED64:
		return length % 8 == 0 || malformed(field, "ends within a number", err);
	default:
		return check_varints(field, length, wire, err);
	}
}

static bool check_message(const struct proto_type *type, struct wire *wire, struct err *err)
{
	struct wire_field at;
	bool found = true;

	if (!wire_enter(wire, err))
		return false;
	while (found) {
		if (!wire_next(wire, &at, &found, err))
			return false;
		if (found && !proto_check(proto_by_number(type, at.number), &at, wire, err))
			return false;
	}
	wire_leave(wire);
	return true;
}

bool proto_check(
	const struct proto_field *field, const struct wire_field *at, struct wire *wire, struct err *err)
{
	/* Other wire types are unknown fields to protobuf, or numbers, which have been read. */
	if (!field || at->type != WIRE_BYTES)
		return true;
	switch (field->kind) {
	case PROTO_STRING:
		return check_string(field, at->value, wire, err);
	case PROTO_MESSAGE:
		return check_message(field->type, wire, err);
	case PROTO_BYTES:
		return true;
	default:
		return !field->repeated || check_packed(field, at->value, wire, err);
	}
}
