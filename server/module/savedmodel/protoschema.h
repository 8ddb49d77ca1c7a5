/* SPDX-License-Identifier: Apache-2.0
 *
 * All fields of a SavedModel, as TensorFlow's protos number, name and type them: what is not read of them
 * (see server/module/savedmodel/fields.h) must still be such that TensorFlow takes it. */
#ifndef SERVER_MODULE_SAVEDMODEL_PROTOSCHEMA_H
#define SERVER_MODULE_SAVEDMODEL_PROTOSCHEMA_H

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

/* The outermost message. */
extern const struct proto_type proto_saved_model;

/* Whether an enum has a value of this name. */
bool proto_enum_has(const struct proto_enum *values, const char *name);

/* The field with this number or name; NULL if there is none, or type is NULL. */
const struct proto_field *proto_by_number(const struct proto_type *type, uint32_t number);
const struct proto_field *proto_by_name(const struct proto_type *type, const char *name);

#endif
