/* SPDX-License-Identifier: Apache-2.0
 *
 * Protobuf's wire format, pulled field by field out of a stream of any length in a few hundred bytes of
 * memory. It knows no message: what a field number means is the reader's business.
 * https://protobuf.dev/programming-guides/encoding/ */
#ifndef SERVER_MODULE_SAVEDMODEL_WIRE_H
#define SERVER_MODULE_SAVEDMODEL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/stream.h"

enum {
	WIRE_DEPTH_MAX = 100, /* messages and groups within each other, as in Google's parsers */
	WIRE_LENGTH_MAX = INT32_MAX
};

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_GROUP = 3,
	WIRE_GROUP_END = 4,
	WIRE_FIXED32 = 5
};

struct wire_field {
	uint32_t number;
	enum wire_type type; /* never one of the group types: groups are skipped */
	uint64_t value;      /* of a varint or fixed field; of WIRE_BYTES the length */
};

struct wire {
	struct stream *stream;
	const uint8_t *data; /* what is left of the stream's current piece */
	size_t length;
	int64_t position;
	int64_t unread; /* bytes of the current field that nobody has read */
	unsigned depth;
	int64_t ends[WIRE_DEPTH_MAX +
		     1]; /* where each open message ends; the outermost ends with the stream */
};

/* Begins the outermost message, which is the whole stream. Nothing needs to be finished. */
void wire_init(struct wire *wire, struct stream *stream);

/* Goes to the next field of the current message, past whatever was not read of the one before; *found is
 * false at the message's end. ERR_INVALID_MODULE says what is malformed and at which byte; the stream's
 * errors pass through. */
bool wire_next(struct wire *wire, struct wire_field *field, bool *found, struct err *err);

/* Reads the next bytes of the current WIRE_BYTES field, which must have that many left. */
bool wire_read(struct wire *wire, void *out, size_t length, struct err *err);

/* Opens the current WIRE_BYTES field, of which nothing was read, as a message. */
bool wire_enter(struct wire *wire, struct err *err);

/* Goes back to the enclosing message; what was not read of the inner one will be skipped. */
void wire_leave(struct wire *wire);

#endif
