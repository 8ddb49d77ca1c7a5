/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/message.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/module/savedmodel/model_facts.h"
#include "server/module/savedmodel/protocheck.h"
#include "server/module/savedmodel/wire.h"

enum { CHUNK_BYTES = 64 << 10, CHUNK_BYTES_NEXT = 256 << 10, ALIGNMENT = 8 };

struct chunk {
	struct chunk *before;
	size_t size;
	_Alignas(ALIGNMENT) uint8_t bytes[];
};

struct slot {
	const struct field *field; /* NULL while nothing is set */
	union {
		uint64_t bits;
		const char *string;
		struct message *message;
		struct {
			struct item *first;
			struct item *last;
		};
	};
};

struct message {
	const struct message_type *type;
	bool lacks_key;    /* its key was too long, so that it is no entry to find */
	uint32_t elements; /* opened so far, of all its repeated fields */
	struct slot slots[];
};

static struct chunk *chunk_create(struct chunk *before, size_t bytes)
{
	/* Those behind the first are so large that they stand alone, and go back to the system. */
	size_t least = before ? CHUNK_BYTES_NEXT : CHUNK_BYTES;
	size_t size = bytes > least ? bytes : least;
	struct chunk *chunk = mem_resize(NULL, 1, sizeof *chunk + size);

	chunk->before = before;
	chunk->size = size;
	return chunk;
}

bool pool_charge(struct pool *pool, size_t bytes)
{
	if (bytes > pool->bytes_left) {
		pool->truncated = true;
		return false;
	}
	pool->bytes_left -= bytes;
	return true;
}

void *pool_allocate(struct pool *pool, size_t bytes)
{
	size_t size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	struct pool_mark *top = &pool->top;
	void *memory;

	if (!pool_charge(pool, size))
		return NULL;
	if (!top->chunk || size > top->chunk->size - top->chunk_used) {
		top->chunk = chunk_create(top->chunk, size);
		top->chunk_used = 0;
	}
	memory = top->chunk->bytes + top->chunk_used;
	top->chunk_used += size;
	top->held += size;
	return memset(memory, 0, size);
}

/* Frees all that was allocated since then. */
static void rewind_to(struct pool *pool, const struct pool_mark *mark)
{
	while (pool->top.chunk != mark->chunk) {
		struct chunk *before = pool->top.chunk->before;

		free(pool->top.chunk);
		pool->top.chunk = before;
	}
	pool->bytes_left += pool->top.held - mark->held;
	pool->top = *mark;
}

void pool_finish(struct pool *pool)
{
	rewind_to(pool, &(struct pool_mark){0});
}

struct message *message_create(struct pool *pool, const struct message_type *type)
{
	struct message *message =
		pool_allocate(pool, sizeof *message + type->slot_count * sizeof(struct slot));

	if (message)
		message->type = type;
	return message;
}

/* The slot of a field, emptied where another member of its oneof was set. */
static struct slot *slot_for(struct message *message, const struct field *field)
{
	struct slot *slot = &message->slots[field->slot];

	if (slot->field != field)
		*slot = (struct slot){.field = field};
	return slot;
}

static struct item *add_item(struct pool *pool, struct message *message, const struct field *field)
{
	struct slot *slot = slot_for(message, field);
	struct item *item = pool_allocate(pool, sizeof *item);

	if (!item)
		return NULL;
	if (slot->last)
		slot->last->next = item;
	else
		slot->first = item;
	slot->last = item;
	return item;
}

void message_set_number(struct message *message, const struct field *field, uint64_t bits)
{
	if (message)
		slot_for(message, field)->bits = bits;
}

/* Whether this is UTF-8 without a NUL; another NUL follows it. */
static bool is_text(const char *bytes, size_t length)
{
	const char *at = bytes;
	uint32_t code;

	while (*at) {
		size_t step = utf8_decode(at, &code);

		if (step == 0)
			return false;
		at += step;
	}
	return (size_t)(at - bytes) == length;
}

static void leave_out(struct pool *pool, struct message *message, const struct field *field)
{
	pool->truncated = true;
	if (field->label == FIELD_SINGLE)
		slot_for(message, field)->string = "";
	if (field->number == ENTRY_KEY)
		message->lacks_key = true;
}

bool message_set_string(struct pool *pool, struct message *message, const struct field *field,
	const char *bytes, size_t length, struct err *err)
{
	char *copy;
	struct item *item = NULL;

	pool->tallies[field->tally]++;
	if (!message)
		return true;
	copy = bytes ? pool_allocate(pool, length + 1) : NULL;

	if (copy && field->label == FIELD_REPEATED && !(item = add_item(pool, message, field)))
		copy = NULL;
	if (!copy) {
		leave_out(pool, message, field);
		return true;
	}
	memcpy(copy, bytes, length);
	for (size_t i = 0; field->may_have_nul && i < length; i++)
		copy[i] = copy[i] ? copy[i] : '?';
	if (!is_text(copy, length))
		return err_set(err, ERR_INVALID_MODULE,
			"The field %s of a %s is not UTF-8, or contains a NUL.", field->name,
			message->type->name);
	if (field->number == ENTRY_KEY)
		message->lacks_key = false;
	if (item)
		item->string = copy;
	else
		slot_for(message, field)->string = copy;
	return true;
}

void message_set_bytes(struct pool *pool, struct message *message, const struct field *field,
	const char *bytes, size_t length)
{
	size_t kept = length < FIELD_BYTES_MAX ? length : FIELD_BYTES_MAX;
	char *copy = message ? pool_allocate(pool, kept + 1) : NULL;
	struct item *item = NULL;

	if (copy && field->label == FIELD_REPEATED && !(item = add_item(pool, message, field)))
		copy = NULL;
	if (!copy)
		return;
	for (size_t i = 0; i < kept; i++)
		copy[i] = bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?';
	if (item)
		item->string = copy;
	else
		slot_for(message, field)->string = copy;
}

bool message_may_open(const struct message *message, const struct field *field, struct err *err)
{
	if (field->most == 0 || !message || message->elements < field->most)
		return true;
	return err_set(err, ERR_INVALID_MODULE,
		"A %s has more than %u of %s, which TensorFlow does not read; export the model again.",
		message->type->name, field->most, field->name);
}

struct inner message_open(struct pool *pool, struct message *message, const struct field *field)
{
	struct inner inner = {.before = pool->top};
	struct slot *slot;

	pool->tallies[field->tally]++;
	if (!message)
		return inner;
	message->elements++;
	slot = slot_for(message, field);
	if (field->label != FIELD_SINGLE)
		inner.message = message_create(pool, field->type);
	else if (!slot->message)
		inner.message = slot->message = message_create(pool, field->type);
	else
		inner.message = slot->message;
	return inner;
}

void message_close(
	struct pool *pool, struct message *message, const struct field *field, const struct inner *inner)
{
	struct item *item;
	bool wanted =
		field->label != FIELD_STREAMED || pool->element(pool->listener, field->type, inner->message);

	if (!inner->message || field->label == FIELD_SINGLE)
		return;
	if (!wanted || (field->label == FIELD_MAP && inner->message->lacks_key)) {
		rewind_to(pool, &inner->before);
		return;
	}
	item = add_item(pool, message, field);
	if (item)
		item->message = inner->message;
}

/* Not inlined: its buffer would be on the stack once for each level of the recursion. */
__attribute__((noinline)) static bool read_string(struct pool *pool, struct message *message,
	const struct field *field, const struct proto_field *known, const struct wire_field *at,
	struct wire *wire, struct err *err)
{
	char bytes[SAVED_MODEL_STRING_MAX];

	if (!message) {
		pool->tallies[field->tally]++;
		return proto_check(known, at, wire, err);
	}
	if (at->value > sizeof bytes)
		return message_set_string(pool, message, field, NULL, 0, err) &&
		       proto_check(known, at, wire, err);
	return wire_read(wire, bytes, at->value, err) &&
	       message_set_string(pool, message, field, bytes, at->value, err);
}

static bool read_bytes(struct pool *pool, struct message *message, const struct field *field,
	const struct wire_field *at, struct wire *wire, struct err *err)
{
	char bytes[FIELD_BYTES_MAX];
	size_t length = at->value < sizeof bytes ? at->value : sizeof bytes;

	if (!wire_read(wire, bytes, length, err))
		return false;
	message_set_bytes(pool, message, field, bytes, length);
	return true;
}

static bool read_fields(struct pool *pool, const struct message_type *type, struct message *message,
	const struct proto_type *schema, struct wire *wire, struct err *err);

static bool read_inner(struct pool *pool, struct message *message, const struct field *field,
	const struct proto_field *known, const struct wire_field *at, struct wire *wire, struct err *err)
{
	struct inner inner;

	if (!message_may_open(message, field, err))
		return false;
	inner = message_open(pool, message, field);
	if (!wire_enter(wire, err) ||
		!read_fields(pool, field->type, inner.message, known ? known->type : NULL, wire, err))
		return false;
	wire_leave(wire);
	message_close(pool, message, field, &inner);
	return true;
}

/* A number as its kind says: negative 32-bit numbers come as 64 bits, whose upper half does not count. */
static uint64_t number_bits(enum field_kind kind, uint64_t value)
{
	switch (kind) {
	case FIELD_INT32:
	case FIELD_ENUM:
		return (uint64_t)(int64_t)(int32_t)(uint32_t)value;
	case FIELD_BOOL:
		return value != 0;
	case FIELD_SINT64:
		return (value >> 1) ^ (0 - (value & 1));
	default:
		return value;
	}
}

static enum wire_type wire_type_of(enum field_kind kind)
{
	if (kind == FIELD_STRING || kind == FIELD_BYTES || kind == FIELD_MESSAGE)
		return WIRE_BYTES;
	return kind == FIELD_DOUBLE ? WIRE_FIXED64 : WIRE_VARINT;
}

static bool read_field(struct pool *pool, const struct message_type *type, struct message *message,
	const struct proto_field *known, const struct wire_field *at, struct wire *wire, struct err *err)
{
	const struct field *field = field_by_number(type, at->number);

	/* A known number with another wire type is an unknown field to protobuf. */
	if (!field || wire_type_of(field->kind) != at->type)
		return proto_check(known, at, wire, err);
	if (field->kind == FIELD_MESSAGE)
		return read_inner(pool, message, field, known, at, wire, err);
	if (field->kind == FIELD_STRING)
		return read_string(pool, message, field, known, at, wire, err);
	if (field->kind == FIELD_BYTES)
		return read_bytes(pool, message, field, at, wire, err);
	message_set_number(message, field, number_bits(field->kind, at->value));
	return true;
}

static bool read_fields(struct pool *pool, const struct message_type *type, struct message *message,
	const struct proto_type *schema, struct wire *wire, struct err *err)
{
	struct wire_field at;
	bool found;

	for (;;) {
		if (!wire_next(wire, &at, &found, err))
			return false;
		if (!found)
			return true;
		if (!read_field(pool, type, message, proto_by_number(schema, at.number), &at, wire, err))
			return false;
	}
}

bool message_read(struct pool *pool, struct message *message, struct stream *stream, struct err *err)
{
	struct wire wire;

	wire_init(&wire, stream);
	return read_fields(pool, message->type, message, pool->schema, &wire, err);
}

const struct message_type *message_type(const struct message *message)
{
	return message->type;
}

static const struct slot *find_slot(const struct message *message, uint32_t number)
{
	const struct field *field = message ? field_by_number(message->type, number) : NULL;

	return field && message->slots[field->slot].field == field ? &message->slots[field->slot] : NULL;
}

bool message_has(const struct message *message, uint32_t number)
{
	return find_slot(message, number);
}

int64_t message_integer(const struct message *message, uint32_t number)
{
	const struct slot *slot = find_slot(message, number);

	return slot ? (int64_t)slot->bits : 0;
}

double message_double(const struct message *message, uint32_t number)
{
	const struct slot *slot = find_slot(message, number);
	double value = 0;

	if (slot)
		memcpy(&value, &slot->bits, sizeof value);
	return value;
}

const char *message_string(const struct message *message, uint32_t number)
{
	const struct slot *slot = find_slot(message, number);

	return slot ? slot->string : "";
}

const struct message *message_inner(const struct message *message, uint32_t number)
{
	const struct slot *slot = find_slot(message, number);

	return slot ? slot->message : NULL;
}

const struct item *message_items(const struct message *message, uint32_t number)
{
	const struct slot *slot = find_slot(message, number);

	return slot ? slot->first : NULL;
}

uint32_t message_oneof(const struct message *message)
{
	return message && message->slots[0].field ? message->slots[0].field->number : 0;
}

struct entry {
	const char *key;
	const struct message *message;
	size_t position;
};

static int by_key(const void *left, const void *right)
{
	const struct entry *a = left;
	const struct entry *b = right;
	int order = strcmp(a->key, b->key);

	return order ? order : (a->position > b->position) - (a->position < b->position);
}

const struct message **message_map(const struct message *message, uint32_t number, size_t *count)
{
	AUTO_FREE struct entry *entries = NULL;
	const struct message **map;
	size_t capacity = 0;
	size_t all = 0;
	size_t kept = 0;

	for (const struct item *item = message_items(message, number); item; item = item->next) {
		MEM_GROW(entries, all, capacity);
		entries[all] = (struct entry){message_string(item->message, ENTRY_KEY), item->message, all};
		all++;
	}
	*count = 0;
	if (all == 0)
		return NULL;
	qsort(entries, all, sizeof *entries, by_key);
	map = mem_zero(all, sizeof *map);
	for (size_t i = 0; i < all; i++) {
		if (i + 1 == all || strcmp(entries[i].key, entries[i + 1].key) != 0)
			map[kept++] = entries[i].message;
	}
	*count = kept;
	return map;
}
