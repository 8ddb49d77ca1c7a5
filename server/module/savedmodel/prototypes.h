/* SPDX-License-Identifier: Apache-2.0
 *
 * How a message of protobuf is described: its fields, their numbers, names and types. */
#ifndef SERVER_MODULE_SAVEDMODEL_PROTOTYPES_H
#define SERVER_MODULE_SAVEDMODEL_PROTOTYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum proto_kind {
	PROTO_INT32,
	PROTO_INT64,
	PROTO_UINT32,
	PROTO_UINT64,
	PROTO_SINT64,
	PROTO_BOOL,
	PROTO_ENUM,
	PROTO_FIXED64,
	PROTO_FLOAT,
	PROTO_DOUBLE,
	PROTO_STRING, /* UTF-8 */
	PROTO_BYTES,
	PROTO_MESSAGE
};

/* The values of an enum, by name. */
struct proto_enum {
	bool (*symbol)(const char *name, int64_t *number); /* knows them; NULL: they are listed */
	size_t name_count;
	const char *const *names;
};

struct proto_type;

struct proto_field {
	const char *name;
	uint32_t number;
	enum proto_kind kind;
	bool repeated;                   /* maps are, too */
	const struct proto_type *type;   /* of PROTO_MESSAGE */
	const struct proto_enum *values; /* of PROTO_ENUM */
};

struct proto_type {
	const char *name;
	size_t field_count;
	const struct proto_field *fields; /* by number */
	bool is_any; /* google.protobuf.Any: its text may be any message, under that one's name in brackets */
};

/* Whether an enum has a value of this name. */
bool proto_enum_has(const struct proto_enum *values, const char *name);

#endif
