/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a tar as they come out of gzip: taken in pieces and in blocks, counted, with their CRC; and
 * the first failure, which stays. For archive.c and what it is made of. */
#ifndef SERVER_MODULE_ARCHIVES_TAPE_H
#define SERVER_MODULE_ARCHIVES_TAPE_H

#include "common/buffer.h"
#include "server/module/archives/advice.h"
#include "server/module/archives/archive_fault.h"
#include "server/module/archives/gunzip.h"
#include "server/module/archives/tarheader.h"

struct tape {
	struct gunzip *gunzip;
	const uint8_t *piece; /* what is left of gunzip's block */
	size_t piece_length;
	int64_t offset;        /* bytes of tar consumed */
	const uint8_t *crc_at; /* in gunzip's block: crc is of all before it */
	uint32_t crc;
	enum archive_fault fault;
	struct err failure;
};

/* The fault is noted; false, for whoever returns it. */
bool tape_fail(struct tape *tape, enum archive_fault fault);
bool tape_cut_off(struct tape *tape);
#define TAPE_BROKEN(tape, ...) \
	(err_set(&(tape)->failure, ERR_INVALID_MODULE, __VA_ARGS__), tape_fail((tape), ARCHIVE_TAR_BROKEN))
/* … of a tar that is mended by packing again; the sentence lacks its full stop. */
#define TAPE_GARBLED(tape, format, ...) \
	TAPE_BROKEN(tape, format "; pack it again: " ADVICE_PACK ".", ##__VA_ARGS__)

/* Gives up to wanted bytes without copying; *length is 0 only at the tar's end. */
bool tape_take(struct tape *tape, int64_t wanted, const uint8_t **data, size_t *length);

/* Consumes count bytes, into *into where there is one. */
bool tape_consume(struct tape *tape, int64_t count, struct buffer *into);

/* Reads a block; fill accepts that the tar ends before, *filled is less than a block then. */
bool tape_read_block(struct tape *tape, uint8_t block[TAR_BLOCK]);
bool tape_fill_block(struct tape *tape, uint8_t block[TAR_BLOCK], size_t *filled);

/* The CRC of all so far, and that of the last length bytes, before which it was so. gunzip knows it between
 * its blocks, so only the bytes between two looks in one block are looked at. */
uint32_t tape_crc(struct tape *tape);
uint32_t tape_crc_since(struct tape *tape, uint32_t before, int64_t length);

/* From so many bytes to a whole block. */
static inline size_t tape_padding(int64_t size)
{
	return (size_t)(-size & (TAR_BLOCK - 1));
}

#endif
