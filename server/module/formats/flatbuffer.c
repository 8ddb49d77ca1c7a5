/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/flatbuffer.h"

#include <string.h>

#include "common/mem.h"
#include "common/own.h"

/* As many tables as TensorFlow Lite's own verifier lets pass; each takes four bytes at least, and four more
 * for the reference to it. */
enum { TABLES_MAX = 1000000, TABLE_BYTES_MIN = 4, BLOCK_BYTES = 4096, BLOCK_COUNT = 8 };

enum { OFFSET_BYTES = 4, VTABLE_HEAD_BYTES = 4 };

struct block {
	int64_t offset; /* -1: holds nothing */
	size_t length;
	uint8_t bytes[BLOCK_BYTES];
};

struct flat_reader {
	struct stream *stream;
	int64_t size;
	int64_t tables_left;
	struct flat_result result;
	struct err *err;
	struct block blocks[BLOCK_COUNT];
};

/* Says itself that it is always false, so that the compiler sees what is never read. */
static bool refuse(struct flat_reader *reader, const char *what, int64_t at)
{
	(void)err_set(reader->err, ERR_INVALID_MODULE, "%s at byte %lld.", what, (long long)at);
	return false;
}

/* Whether these bytes are in the file; what is referred to beyond it was cut off. */
static bool is_inside(struct flat_reader *reader, int64_t at, int64_t bytes, const char *what)
{
	if (bytes <= reader->size && at <= reader->size - bytes) {
		if (at + bytes > reader->result.end)
			reader->result.end = at + bytes;
		return true;
	}
	reader->result.is_cut_off = true;
	(void)err_set(reader->err, ERR_INVALID_MODULE,
		"%s of %lld bytes should lie at byte %lld, but the file has %lld bytes.", what,
		(long long)bytes, (long long)at, (long long)reader->size);
	return false;
}

static bool load(struct flat_reader *reader, struct block *block, int64_t offset)
{
	int64_t wanted = reader->size - offset < BLOCK_BYTES ? reader->size - offset : BLOCK_BYTES;

	block->offset = -1;
	if (!reader->stream->again(
		    reader->stream, offset, block->bytes, (size_t)wanted, &block->length, reader->err))
		return false;
	if (block->length < (size_t)wanted)
		return err_set(reader->err, ERR_INTERNAL, "What was read cannot be read again.");
	block->offset = offset;
	return true;
}

/* Reads a little-endian number of up to 8 bytes, which lie inside. */
static bool read_number(struct flat_reader *reader, int64_t at, size_t bytes, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < bytes; i++) {
		int64_t offset = (at + (int64_t)i) / BLOCK_BYTES * BLOCK_BYTES;
		struct block *block = &reader->blocks[offset / BLOCK_BYTES % BLOCK_COUNT];

		if (block->offset != offset && !load(reader, block, offset))
			return false;
		*out |= (uint64_t)block->bytes[at + (int64_t)i - offset] << (8 * i);
	}
	return true;
}

/* Follows the offset at this place, which always leads forward. */
static bool follow(struct flat_reader *reader, int64_t at, int64_t *out)
{
	uint64_t offset;

	if (!read_number(reader, at, OFFSET_BYTES, &offset))
		return false;
	if (offset == 0 || (at + (int64_t)offset) % OFFSET_BYTES != 0)
		return refuse(reader, "There is an offset that leads nowhere", at);
	*out = at + (int64_t)offset;
	return true;
}

/* Where the field lies in its table; *out is -1 where the table has none. */
static bool find_field(
	struct flat_reader *reader, const struct flat_table *table, uint16_t slot, size_t bytes, int64_t *out)
{
	int64_t entry = VTABLE_HEAD_BYTES + 2 * (int64_t)slot;
	uint64_t place;

	*out = -1;
	if (entry + 2 > table->vtable_bytes)
		return true;
	if (!read_number(reader, table->vtable + entry, 2, &place))
		return false;
	if (place == 0)
		return true;
	if (place < OFFSET_BYTES || place + bytes > table->bytes)
		return refuse(reader, "A field lies outside of its table", table->at);
	*out = table->at + (int64_t)place;
	return true;
}

/* Its vtable says how long it is. */
static bool open_table(struct flat_reader *reader, int64_t at, struct flat_table *table)
{
	uint64_t number;

	if (reader->tables_left-- == 0)
		return refuse(reader, "There are more tables than the file has room for", at);
	if (!is_inside(reader, at, OFFSET_BYTES, "A table") ||
		!read_number(reader, at, OFFSET_BYTES, &number))
		return false;
	table->at = at;
	table->vtable = at - (int32_t)(uint32_t)number;
	if (table->vtable < 0 || table->vtable % 2 != 0)
		return refuse(reader, "A table has no vtable", at);
	if (!is_inside(reader, table->vtable, VTABLE_HEAD_BYTES, "A vtable") ||
		!read_number(reader, table->vtable, 2, &number))
		return false;
	table->vtable_bytes = (uint16_t)number;
	if (number < VTABLE_HEAD_BYTES || number % 2 != 0)
		return refuse(reader, "A vtable is malformed", table->vtable);
	if (!is_inside(reader, table->vtable, table->vtable_bytes, "A vtable") ||
		!read_number(reader, table->vtable + 2, 2, &number))
		return false;
	table->bytes = (uint16_t)number;
	if (number < TABLE_BYTES_MIN)
		return refuse(reader, "A vtable is malformed", table->vtable);
	return is_inside(reader, at, table->bytes, "A table");
}

/* A vector's elements; *out_first is where they begin. */
static bool open_vector(struct flat_reader *reader, int64_t at, unsigned element_bytes, int64_t *out_first,
	uint64_t *out_count)
{
	if (!is_inside(reader, at, OFFSET_BYTES, "A vector") ||
		!read_number(reader, at, OFFSET_BYTES, out_count))
		return false;
	*out_first = at + OFFSET_BYTES;
	return is_inside(reader, *out_first, (int64_t)*out_count * element_bytes, "A vector");
}

static bool check_string(struct flat_reader *reader, int64_t at)
{
	uint64_t length;
	uint64_t end;
	int64_t first;

	if (!open_vector(reader, at, 1, &first, &length) ||
		!is_inside(reader, first, (int64_t)length + 1, "A string") ||
		!read_number(reader, first + (int64_t)length, 1, &end))
		return false;
	return end == 0 || refuse(reader, "A string does not end with a zero", at);
}

static bool check_table(struct flat_reader *reader, int64_t at, const struct flat_type *type);

static bool check_tables(struct flat_reader *reader, int64_t at, const struct flat_type *type)
{
	int64_t first;
	uint64_t count;

	if (!open_vector(reader, at, OFFSET_BYTES, &first, &count))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		int64_t element;

		if (!follow(reader, first + OFFSET_BYTES * (int64_t)i, &element) ||
			!check_table(reader, element, type))
			return false;
	}
	return true;
}

static bool check_region(struct flat_reader *reader, const struct flat_table *table,
	const struct flat_field *field, int64_t at)
{
	uint64_t offset;
	uint64_t bytes = 0;
	int64_t size_at;

	if (!find_field(reader, table, field->slot + 1, 8, &size_at) ||
		!read_number(reader, at, 8, &offset) ||
		(size_at >= 0 && !read_number(reader, size_at, 8, &bytes)))
		return false;
	if (offset <= 1)
		return true;
	if (offset > INT64_MAX / 2 || bytes > INT64_MAX / 2)
		return refuse(reader, "There is an impossible length", at);
	return is_inside(reader, (int64_t)offset, (int64_t)bytes, "A buffer");
}

static bool check_union(struct flat_reader *reader, const struct flat_table *table,
	const struct flat_field *field, int64_t at)
{
	static const struct flat_type unknown = {0};
	const struct flat_type *type = NULL;
	uint64_t member = 0;
	int64_t type_at;

	if (!find_field(reader, table, field->slot - 1, 1, &type_at) ||
		(type_at >= 0 && !read_number(reader, type_at, 1, &member)))
		return false;
	if (member == 0)
		return true;
	if (member < field->member_count)
		type = field->members[member];
	return check_table(reader, at, type ? type : &unknown);
}

static bool check_field(
	struct flat_reader *reader, const struct flat_table *table, const struct flat_field *field)
{
	bool is_region = field->kind == FLAT_REGION;
	uint64_t count;
	int64_t first;
	int64_t at;

	if (!find_field(reader, table, field->slot, is_region ? 8 : OFFSET_BYTES, &at))
		return false;
	if (at < 0)
		return true;
	if (is_region)
		return check_region(reader, table, field, at);
	if (!follow(reader, at, &at))
		return false;
	switch (field->kind) {
	case FLAT_STRING:
		return check_string(reader, at);
	case FLAT_TABLE:
		return check_table(reader, at, field->type);
	case FLAT_TABLES:
		return check_tables(reader, at, field->type);
	case FLAT_UNION:
		return check_union(reader, table, field, at);
	default:
		return open_vector(reader, at, field->element_bytes, &first, &count);
	}
}

/* The slots that the type requires are there, as vectors with an element. */
static bool check_required(struct flat_reader *reader, const struct flat_table *table, uint32_t required)
{
	for (uint16_t slot = 0; required >> slot; slot++) {
		uint64_t count = 0;
		int64_t at;

		if (!(required >> slot & 1))
			continue;
		if (!find_field(reader, table, slot, OFFSET_BYTES, &at) ||
			(at >= 0 &&
				(!follow(reader, at, &at) || !read_number(reader, at, OFFSET_BYTES, &count))))
			return false;
		if (count == 0)
			return refuse(reader, "What every model has is missing in the table", table->at);
	}
	return true;
}

static bool check_table(struct flat_reader *reader, int64_t at, const struct flat_type *type)
{
	struct flat_table table;

	if (!open_table(reader, at, &table))
		return false;
	for (size_t i = 0; i < type->field_count; i++) {
		if (!check_field(reader, &table, &type->fields[i]))
			return false;
	}
	return check_required(reader, &table, type->required);
}

struct flat_reader *flat_reader_create(struct stream *stream, int64_t size, struct err *err)
{
	struct flat_reader *reader = mem_zero(1, sizeof *reader);
	int64_t most = size / TABLE_BYTES_MIN;

	reader->stream = stream;
	reader->size = size;
	reader->tables_left = most < TABLES_MAX ? most : TABLES_MAX;
	reader->err = err;
	for (size_t i = 0; i < BLOCK_COUNT; i++)
		reader->blocks[i].offset = -1;
	return reader;
}

void flat_reader_destroy(struct flat_reader *reader)
{
	free(reader);
}

static bool find_root(struct flat_reader *reader, int64_t *out)
{
	return is_inside(reader, 0, 2 * OFFSET_BYTES, "The head") && follow(reader, 0, out);
}

bool flatbuffer_check(struct stream *stream, int64_t size, const struct flat_type *root,
	struct flat_result *out, struct err *err)
{
	AUTO_FLAT_READER struct flat_reader *reader = flat_reader_create(stream, size, err);
	int64_t at;
	bool done = find_root(reader, &at) && check_table(reader, at, root);

	*out = reader->result;
	return done;
}

/* ---- reading what was checked ---- */

bool flat_root(struct flat_reader *reader, struct flat_table *out)
{
	int64_t at;

	return find_root(reader, &at) && open_table(reader, at, out);
}

bool flat_number(struct flat_reader *reader, const struct flat_table *table, uint16_t slot, size_t bytes,
	uint64_t *out)
{
	int64_t at;

	if (!find_field(reader, table, slot, bytes, &at))
		return false;
	return at < 0 || read_number(reader, at, bytes, out);
}

/* *out is -1 where the table refers to nothing there. */
static bool find_referred(
	struct flat_reader *reader, const struct flat_table *table, uint16_t slot, int64_t *out)
{
	int64_t at;

	if (!find_field(reader, table, slot, OFFSET_BYTES, &at))
		return false;
	*out = -1;
	return at < 0 || follow(reader, at, out);
}

bool flat_child(struct flat_reader *reader, const struct flat_table *table, uint16_t slot,
	struct flat_table *out, bool *found)
{
	int64_t at;

	if (!find_referred(reader, table, slot, &at))
		return false;
	*found = at >= 0;
	return !*found || open_table(reader, at, out);
}

bool flat_vector(struct flat_reader *reader, const struct flat_table *table, uint16_t slot,
	unsigned element_bytes, struct flat_vector *out)
{
	int64_t at;

	*out = (struct flat_vector){0};
	if (!find_referred(reader, table, slot, &at))
		return false;
	return at < 0 || open_vector(reader, at, element_bytes, &out->first, &out->count);
}

bool flat_vector_number(struct flat_reader *reader, const struct flat_vector *vector, uint64_t index,
	size_t bytes, uint64_t *out)
{
	return read_number(reader, vector->first + (int64_t)(index * bytes), bytes, out);
}

bool flat_vector_table(
	struct flat_reader *reader, const struct flat_vector *vector, uint64_t index, struct flat_table *out)
{
	int64_t at;

	return follow(reader, vector->first + (int64_t)(index * OFFSET_BYTES), &at) &&
	       open_table(reader, at, out);
}

bool flat_text(
	struct flat_reader *reader, const struct flat_table *table, uint16_t slot, size_t max, char **out)
{
	struct flat_vector bytes;
	AUTO_FREE char *text = NULL;
	size_t length;
	int64_t at;

	*out = NULL;
	if (!find_referred(reader, table, slot, &at))
		return false;
	if (at < 0)
		return true;
	if (!open_vector(reader, at, 1, &bytes.first, &bytes.count))
		return false;
	length = bytes.count < max ? (size_t)bytes.count : max;
	text = mem_zero(length + 1, 1);
	if (length > 0 &&
		!reader->stream->again(reader->stream, bytes.first, text, length, &length, reader->err))
		return false;
	*out = TAKE(text);
	return true;
}
