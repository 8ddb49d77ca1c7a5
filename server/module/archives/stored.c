/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/stored.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/mem.h"

/* A stored block of deflate tells its length in 16 bits. */
enum { BLOCK_MAX = 65535, BLOCK_HEAD = 5, TRAILER = 8 };

struct stored {
	struct stored_sink sink;
	bool begun;
	uint32_t crc;
	uint32_t length; /* modulo 2^32, as gzip has it */
	size_t held;
	uint8_t block[BLOCK_HEAD + BLOCK_MAX];
};

/* No name, no time; the system is said to be unknown. */
static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};

struct stored *stored_create(const struct stored_sink *sink)
{
	struct stored *stored = mem_zero(1, sizeof *stored);

	stored->sink = *sink;
	return stored;
}

void stored_destroy(struct stored *stored)
{
	free(stored);
}

static bool put(struct stored *stored, const void *bytes, size_t length, struct err *err)
{
	return stored->sink.write(stored->sink.context, bytes, length, err);
}

static void set_little_endian(uint8_t *out, uint32_t number, int bytes)
{
	for (int i = 0; i < bytes; i++)
		out[i] = (uint8_t)(number >> 8 * i);
}

static bool put_block(struct stored *stored, bool is_last, struct err *err)
{
	size_t held = stored->held;

	stored->block[0] = is_last;
	set_little_endian(stored->block + 1, (uint32_t)held, 2);
	set_little_endian(stored->block + 3, ~(uint32_t)held, 2);
	stored->held = 0;
	return put(stored, stored->block, BLOCK_HEAD + held, err);
}

static bool begin(struct stored *stored, struct err *err)
{
	if (stored->begun)
		return true;
	stored->begun = true;
	return put(stored, head, sizeof head, err);
}

/* Blocks are filled, however the bytes come: they are the same each time. */
bool stored_write(struct stored *stored, const void *bytes, size_t length, struct err *err)
{
	const uint8_t *next = bytes;

	if (!begin(stored, err))
		return false;
	stored->crc = (uint32_t)crc32_z(stored->crc, next, length);
	stored->length += (uint32_t)length;
	while (length > 0) {
		size_t room = BLOCK_MAX - stored->held;
		size_t piece = length < room ? length : room;

		memcpy(stored->block + BLOCK_HEAD + stored->held, next, piece);
		stored->held += piece;
		next += piece;
		length -= piece;
		if (stored->held == BLOCK_MAX && !put_block(stored, false, err))
			return false;
	}
	return true;
}

bool stored_finish(struct stored *stored, struct err *err)
{
	uint8_t trailer[TRAILER];

	if (!begin(stored, err) || !put_block(stored, true, err))
		return false;
	set_little_endian(trailer, stored->crc, 4);
	set_little_endian(trailer + 4, stored->length, 4);
	return put(stored, trailer, sizeof trailer, err);
}

int64_t stored_size(int64_t length)
{
	int64_t blocks = length / BLOCK_MAX + 1;
	int64_t size;

	if (length < 0 ||
		__builtin_add_overflow(length, (int64_t)sizeof head + BLOCK_HEAD * blocks + TRAILER, &size))
		return -1;
	return size;
}
