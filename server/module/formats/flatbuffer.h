/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a FlatBuffer's references lead where its schema says, and all of them into the file. Reads what it
 * needs of a stream that can be read again, in bounded memory, and looks at no more tables than the file has
 * room for. https://flatbuffers.dev/internals/ */
#ifndef SERVER_MODULE_FORMATS_FLATBUFFER_H
#define SERVER_MODULE_FORMATS_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "common/stream.h"

enum flat_kind {
	FLAT_VECTOR, /* of numbers, of element_bytes each */
	FLAT_STRING,
	FLAT_TABLE,
	FLAT_TABLES, /* a vector of them */
	FLAT_UNION,  /* a table of members[the byte in the slot before]; one that is not among them is looked
			at as  an empty table, whose fields are not known */
	FLAT_REGION  /* bytes anywhere in the file: their offset here and their number in the next slot, 64
			bits each;  none where the offset is 0 or 1 */
};

struct flat_type;

/* A field that refers to something; all others lie in the table itself. */
struct flat_field {
	uint16_t slot;
	enum flat_kind kind;
	unsigned element_bytes;
	const struct flat_type *type;
	const struct flat_type *const *members; /* by number; NULL: fields not known */
	size_t member_count;
};

/* May not contain itself, by whatever way. */
struct flat_type {
	size_t field_count;
	const struct flat_field *fields;
	uint32_t required; /* bits: slots that must be there, as vectors with an element */
};

struct flat_result {
	bool is_cut_off; /* it refers to what lies behind the file's end */
	int64_t end;     /* the last byte that is referred to, plus one */
};

/* Checks size bytes, whose root table is of this type. False with ERR_INVALID_MODULE where a reference is
 * wrong, and with the stream's own errors. */
bool flatbuffer_check(struct stream *stream, int64_t size, const struct flat_type *root,
	struct flat_result *out, struct err *err);

/* ---- reading what was checked ---- */

struct flat_reader;

/* A table that has been found sound in itself. */
struct flat_table {
	int64_t at;
	int64_t vtable;
	uint16_t vtable_bytes;
	uint16_t bytes;
};

struct flat_vector {
	int64_t first;
	uint64_t count; /* 0 where there is none */
};

/* Reads a file that flatbuffer_check() has passed, in bounded memory; looks at no more tables than that does.
 * Everything below fails, with *err filled, only where the stream does, or the file was never checked. */
struct flat_reader *flat_reader_create(struct stream *stream, int64_t size, struct err *err);
void flat_reader_destroy(struct flat_reader *reader);
AUTO_CLEANER(own_flat_reader, struct flat_reader *, flat_reader_destroy)
#define AUTO_FLAT_READER AUTO(own_flat_reader)

bool flat_root(struct flat_reader *reader, struct flat_table *out);

/* A number of the table itself, of up to 8 bytes; *out stays as it is where there is none. */
bool flat_number(struct flat_reader *reader, const struct flat_table *table, uint16_t slot, size_t bytes,
	uint64_t *out);
bool flat_child(struct flat_reader *reader, const struct flat_table *table, uint16_t slot,
	struct flat_table *out, bool *found);
bool flat_vector(struct flat_reader *reader, const struct flat_table *table, uint16_t slot,
	unsigned element_bytes, struct flat_vector *out);

/* The element at this index, which must be one. */
bool flat_vector_number(struct flat_reader *reader, const struct flat_vector *vector, uint64_t index,
	size_t bytes, uint64_t *out);
bool flat_vector_table(
	struct flat_reader *reader, const struct flat_vector *vector, uint64_t index, struct flat_table *out);

/* The first bytes of a string, max at most; the caller frees it. NULL where the table has none. */
bool flat_text(
	struct flat_reader *reader, const struct flat_table *table, uint16_t slot, size_t max, char **out);

#endif
