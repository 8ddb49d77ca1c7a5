/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/bundle.h"

#include <string.h>

#include "common/stream.h"
#include "server/module/savedmodel/wire.h"

enum { FOOTER_BYTES = 48, MAGIC_BYTES = 8, TRAILER_BYTES = 5, VARINT_BYTES_MAX = 10, BLOCK_AS_IT_IS = 0 };

enum { HEADER_SHARDS = 1, ENTRY_SHARD = 3, ENTRY_OFFSET = 4, ENTRY_SIZE = 5 };

static const uint8_t magic[MAGIC_BYTES] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};

struct bytes {
	const uint8_t *at;
	size_t length;
};

struct reading {
	struct bytes file;
	int64_t shards;    /* 0: no header yet */
	bool is_packed;    /* a block is compressed, and was not read */
	size_t bytes_left; /* blocks that are listed twice are read once */
	bool (*visit)(void *context, const struct bundle_entry *entry, struct err *err);
	void *context;
	struct err *err;
};

static bool malformed(struct reading *reading, const char *what)
{
	return err_set(reading->err, ERR_INVALID_MODULE, "it is no index: %s", what);
}

static bool take_varint(struct bytes *bytes, uint64_t *out)
{
	*out = 0;
	for (int i = 0; i < VARINT_BYTES_MAX && bytes->length > 0; i++) {
		uint8_t byte = *bytes->at;

		bytes->at++;
		bytes->length--;
		*out |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80)
			return true;
	}
	return false;
}

static bool take(struct bytes *from, uint64_t length, struct bytes *out)
{
	if (length > from->length)
		return false;
	*out = (struct bytes){from->at, (size_t)length};
	from->at += length;
	from->length -= (size_t)length;
	return true;
}

/* Reads the three numbers of a message; others are skipped. */
static bool read_numbers(struct reading *reading, const struct bytes *value, uint64_t numbers[ENTRY_SIZE + 1])
{
	struct memory_stream memory;
	struct wire wire;
	struct wire_field field;
	bool found = true;

	wire_init(&wire, memory_stream_init(&memory, value->at, value->length));
	while (found) {
		if (!wire_next(&wire, &field, &found, reading->err))
			return malformed(reading, "an entry is malformed");
		if (found && field.type == WIRE_VARINT && field.number <= ENTRY_SIZE)
			numbers[field.number] = field.value;
	}
	return true;
}

/* A key's value: the header has the empty key. */
static bool take_value(struct reading *reading, size_t key_length, const struct bytes *value)
{
	uint64_t numbers[ENTRY_SIZE + 1] = {0};
	struct bundle_entry entry;

	if (!read_numbers(reading, value, numbers))
		return false;
	if (key_length == 0) {
		reading->shards = numbers[HEADER_SHARDS] <= INT32_MAX ? (int64_t)numbers[HEADER_SHARDS] : -1;
		return true;
	}
	entry = (struct bundle_entry){numbers[ENTRY_SHARD], numbers[ENTRY_OFFSET], numbers[ENTRY_SIZE]};
	return !reading->visit || reading->visit(reading->context, &entry, reading->err);
}

static bool read_block(struct reading *reading, struct bytes block,
	bool (*take_entry)(struct reading *reading, size_t key_length, const struct bytes *value));

/* The entries of the block of blocks: each is a handle. */
static bool take_handle(struct reading *reading, size_t key_length, const struct bytes *value)
{
	struct bytes handle = *value;
	struct bytes block = reading->file;
	struct bytes trailer;
	struct bytes skipped;
	uint64_t offset;
	uint64_t size;

	(void)key_length;
	if (!take_varint(&handle, &offset) || !take_varint(&handle, &size) ||
		!take(&block, offset, &skipped) || !take(&block, size, &skipped) ||
		!take(&block, TRAILER_BYTES, &trailer))
		return malformed(reading, "a block lies behind its end");
	if (size > reading->bytes_left)
		return malformed(reading, "its blocks overlap");
	reading->bytes_left -= (size_t)size;
	reading->is_packed = reading->is_packed || trailer.at[0] != BLOCK_AS_IT_IS;
	return trailer.at[0] != BLOCK_AS_IT_IS || read_block(reading, skipped, take_value);
}

/* Cuts off the restart points at the block's end. */
static bool drop_restarts(struct bytes *block)
{
	uint64_t count = 0;

	if (block->length < 4)
		return false;
	for (int i = 0; i < 4; i++)
		count |= (uint64_t)block->at[block->length - 4 + i] << (8 * i);
	if (4 * (count + 1) > block->length)
		return false;
	block->length -= (size_t)(4 * (count + 1));
	return true;
}

static bool read_block(struct reading *reading, struct bytes block,
	bool (*take_entry)(struct reading *reading, size_t key_length, const struct bytes *value))
{
	size_t before = 0;

	if (!drop_restarts(&block))
		return malformed(reading, "a block has no end");
	while (block.length > 0) {
		uint64_t shared;
		uint64_t added;
		uint64_t length;
		struct bytes key;
		struct bytes value;

		if (!take_varint(&block, &shared) || !take_varint(&block, &added) ||
			!take_varint(&block, &length) || shared > before || !take(&block, added, &key) ||
			!take(&block, length, &value))
			return malformed(reading, "a block is malformed");
		before = (size_t)(shared + added);
		if (!take_entry(reading, before, &value))
			return false;
	}
	return true;
}

bool bundle_read(const struct buffer *index, int64_t *out_shards,
	bool (*visit)(void *context, const struct bundle_entry *entry, struct err *err), void *context,
	struct err *err)
{
	struct reading reading = {.file = {(const uint8_t *)index->data, index->length},
		.bytes_left = index->length,
		.visit = visit,
		.context = context,
		.err = err};
	struct bytes footer;
	struct bytes block = reading.file;
	struct bytes found;
	uint64_t numbers[4];

	if (index->length < FOOTER_BYTES)
		return malformed(&reading, "it is too short");
	footer = (struct bytes){reading.file.at + index->length - FOOTER_BYTES, FOOTER_BYTES - MAGIC_BYTES};
	if (memcmp(footer.at + footer.length, magic, sizeof magic) != 0)
		return malformed(&reading, "it does not end as one");
	for (size_t i = 0; i < 4; i++) {
		if (!take_varint(&footer, &numbers[i]))
			return malformed(&reading, "it does not end as one");
	}
	if (!take(&block, numbers[2], &found) || !take(&block, numbers[3], &found))
		return malformed(&reading, "a block lies behind its end");
	if (!read_block(&reading, found, take_handle))
		return false;
	*out_shards = reading.shards;
	return reading.shards != 0 || reading.is_packed || malformed(&reading, "it has no header");
}
