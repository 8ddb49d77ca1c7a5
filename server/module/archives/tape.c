/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/tape.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "server/module/archives/inflater.h"

static const enum archive_fault fault_of_gunzip[] = {
	[GUNZIP_SOUND] = ARCHIVE_SOUND,
	[GUNZIP_BROKEN] = ARCHIVE_GZIP_BROKEN,
	[GUNZIP_TOO_LARGE] = ARCHIVE_TOO_LARGE,
	[GUNZIP_RATIO] = ARCHIVE_RATIO,
	[GUNZIP_SOURCE_FAILED] = ARCHIVE_SOURCE_FAILED,
};

bool tape_fail(struct tape *tape, enum archive_fault fault)
{
	tape->fault = fault;
	return false;
}

/* Makes sure that the piece has bytes, unless the tar is at its end. */
static bool refill(struct tape *tape)
{
	uint32_t crc;

	if (tape->piece_length > 0)
		return true;
	crc = gunzip_crc(tape->gunzip);
	if (stream_next(gunzip_stream(tape->gunzip), &tape->piece, &tape->piece_length, &tape->failure)) {
		tape->crc = crc;
		tape->crc_at = tape->piece;
		return true;
	}
	tape->piece_length = 0;
	return tape_fail(tape, fault_of_gunzip[gunzip_fault(tape->gunzip)]);
}

bool tape_take(struct tape *tape, int64_t wanted, const uint8_t **data, size_t *length)
{
	if (!refill(tape))
		return false;
	*data = tape->piece;
	*length = (int64_t)tape->piece_length < wanted ? tape->piece_length : (size_t)wanted;
	tape->piece += *length;
	tape->piece_length -= *length;
	tape->offset += (int64_t)*length;
	return true;
}

bool tape_cut_off(struct tape *tape)
{
	return TAPE_GARBLED(tape, "The tar is cut off at byte %" PRId64, tape->offset);
}

bool tape_consume(struct tape *tape, int64_t count, struct buffer *into)
{
	const uint8_t *data;
	size_t length;

	for (; count > 0; count -= (int64_t)length) {
		if (!tape_take(tape, count, &data, &length))
			return false;
		if (length == 0)
			return tape_cut_off(tape);
		if (into)
			buffer_add(into, data, length);
	}
	return true;
}

bool tape_fill_block(struct tape *tape, uint8_t block[TAR_BLOCK], size_t *filled)
{
	const uint8_t *data;
	size_t length = 1;

	for (*filled = 0; *filled < TAR_BLOCK && length > 0; *filled += length) {
		if (!tape_take(tape, (int64_t)(TAR_BLOCK - *filled), &data, &length))
			return false;
		memcpy(block + *filled, data, length);
	}
	return true;
}

bool tape_read_block(struct tape *tape, uint8_t block[TAR_BLOCK])
{
	size_t filled;

	return tape_fill_block(tape, block, &filled) && (filled == TAR_BLOCK || tape_cut_off(tape));
}

uint32_t tape_crc(struct tape *tape)
{
	if (tape->crc_at)
		tape->crc = inflater_crc_on(tape->crc, tape->crc_at, (size_t)(tape->piece - tape->crc_at));
	tape->crc_at = tape->piece;
	return tape->crc;
}

/* With A's CRC and AB's that of B is known. */
uint32_t tape_crc_since(struct tape *tape, uint32_t before, int64_t length)
{
	return tape_crc(tape) ^ (uint32_t)crc32_combine(before, 0, length);
}
