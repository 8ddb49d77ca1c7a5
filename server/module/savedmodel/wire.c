/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/wire.h"

#include <string.h>

enum { VARINT_BYTES_MAX = 10, TAG_BYTES_MAX = 5 };

void wire_init(struct wire *wire, struct stream *stream)
{
	*wire = (struct wire){.stream = stream, .ends = {INT64_MAX}};
}

static bool malformed(const struct wire *wire, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID_MODULE, "The protobuf message is malformed at byte %lld: %s.",
		(long long)wire->position, what);
}

static bool refill(struct wire *wire, struct err *err)
{
	return wire->length > 0 || stream_next(wire->stream, &wire->data, &wire->length, err);
}

static void advance(struct wire *wire, size_t length)
{
	wire->data += length;
	wire->length -= length;
	wire->position += (int64_t)length;
}

/* Takes length bytes, to out or, where that is NULL, to nowhere; the caller knows that the message has them.
 */
static bool take(struct wire *wire, uint8_t *out, int64_t length, struct err *err)
{
	while (length > 0) {
		size_t piece;

		if (!refill(wire, err))
			return false;
		if (wire->length == 0)
			return malformed(wire, "it ends within a field", err);
		piece = (int64_t)wire->length < length ? wire->length : (size_t)length;
		if (out) {
			memcpy(out, wire->data, piece);
			out += piece;
		}
		advance(wire, piece);
		length -= (int64_t)piece;
	}
	return true;
}

static bool take_within(struct wire *wire, uint8_t *out, int64_t length, struct err *err)
{
	if (length > wire->ends[wire->depth] - wire->position)
		return malformed(wire, "a field is longer than the message around it", err);
	return take(wire, out, length, err);
}

static bool take_varint(struct wire *wire, int bytes_max, uint64_t *out, struct err *err)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes_max; i++) {
		uint8_t byte = 0;

		if (!take_within(wire, &byte, 1, err))
			return false;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80)) {
			*out = value;
			return true;
		}
	}
	return malformed(wire, "a varint is too long", err);
}

static bool take_fixed(struct wire *wire, int bytes, uint64_t *out, struct err *err)
{
	uint8_t raw[8] = {0};
	uint64_t value = 0;

	if (!take_within(wire, raw, bytes, err))
		return false;
	for (int i = 0; i < bytes; i++)
		value |= (uint64_t)raw[i] << (8 * i);
	*out = value;
	return true;
}

static bool take_length(struct wire *wire, uint64_t *out, struct err *err)
{
	if (!take_varint(wire, VARINT_BYTES_MAX, out, err))
		return false;
	if (*out > WIRE_LENGTH_MAX)
		return malformed(wire, "a field is longer than 2 GiB", err);
	if ((int64_t)*out > wire->ends[wire->depth] - wire->position)
		return malformed(wire, "a field is longer than the message around it", err);
	wire->unread = (int64_t)*out;
	return true;
}

static bool take_value(struct wire *wire, struct wire_field *field, struct err *err)
{
	field->value = 0;
	switch (field->type) {
	case WIRE_VARINT:
		return take_varint(wire, VARINT_BYTES_MAX, &field->value, err);
	case WIRE_FIXED64:
		return take_fixed(wire, 8, &field->value, err);
	case WIRE_BYTES:
		return take_length(wire, &field->value, err);
	case WIRE_GROUP:
	case WIRE_GROUP_END:
		return true;
	case WIRE_FIXED32:
		return take_fixed(wire, 4, &field->value, err);
	}
	return malformed(wire, "a field has an unknown wire type", err);
}

static bool take_field(struct wire *wire, struct wire_field *field, struct err *err)
{
	uint64_t tag = 0;

	if (!take_varint(wire, TAG_BYTES_MAX, &tag, err))
		return false;
	if (tag > UINT32_MAX || tag >> 3 == 0)
		return malformed(wire, "a field has an impossible number", err);
	field->number = (uint32_t)(tag >> 3);
	field->type = (enum wire_type)(tag & 7);
	return take_value(wire, field, err);
}

static bool skip_unread(struct wire *wire, struct err *err)
{
	int64_t length = wire->unread;

	wire->unread = 0;
	return take(wire, NULL, length, err);
}

static bool skip_group(struct wire *wire, uint32_t number, struct err *err)
{
	uint32_t open[WIRE_DEPTH_MAX + 1] = {number};
	unsigned count = 1;
	struct wire_field field = {0};

	while (count > 0) {
		if (wire->depth + count > WIRE_DEPTH_MAX)
			return malformed(wire, "it is nested too deeply", err);
		if (!take_field(wire, &field, err) || !skip_unread(wire, err))
			return false;
		if (field.type == WIRE_GROUP)
			open[count++] = field.number;
		else if (field.type == WIRE_GROUP_END && open[--count] != field.number)
			return malformed(wire, "a group ends with another group's number", err);
	}
	return true;
}

static bool at_end(struct wire *wire, bool *ended, struct err *err)
{
	if (wire->depth > 0) {
		*ended = wire->position == wire->ends[wire->depth];
		return true;
	}
	if (!refill(wire, err))
		return false;
	*ended = wire->length == 0;
	return true;
}

bool wire_next(struct wire *wire, struct wire_field *field, bool *found, struct err *err)
{
	bool ended;

	for (;;) {
		if (!skip_unread(wire, err) || !at_end(wire, &ended, err))
			return false;
		*found = !ended;
		if (ended)
			return true;
		if (!take_field(wire, field, err))
			return false;
		if (field->type == WIRE_GROUP_END)
			return malformed(wire, "a group ends that did not begin", err);
		if (field->type != WIRE_GROUP)
			return true;
		if (!skip_group(wire, field->number, err))
			return false;
	}
}

bool wire_read(struct wire *wire, void *out, size_t length, struct err *err)
{
	wire->unread -= (int64_t)length;
	return take(wire, out, (int64_t)length, err);
}

bool wire_enter(struct wire *wire, struct err *err)
{
	if (wire->depth == WIRE_DEPTH_MAX)
		return malformed(wire, "it is nested too deeply", err);
	wire->depth++;
	wire->ends[wire->depth] = wire->position + wire->unread;
	wire->unread = 0;
	return true;
}

void wire_leave(struct wire *wire)
{
	wire->unread = wire->ends[wire->depth] - wire->position;
	wire->depth--;
}
