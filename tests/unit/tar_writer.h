/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes tar and gzip for the tests, member by member, and whatever else a tar must not be. */
#ifndef TESTS_UNIT_TAR_WRITER_H
#define TESTS_UNIT_TAR_WRITER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/stream.h"

enum { TAR_WRITER_BLOCK = 512 };

static inline void tar_zeros(struct buffer *tar, size_t count)
{
	static const char zeros[TAR_WRITER_BLOCK];

	for (; count > sizeof zeros; count -= sizeof zeros)
		buffer_add(tar, zeros, sizeof zeros);
	buffer_add(tar, zeros, count);
}

/* Writes the checksum that the header at this offset should have. */
static inline void tar_seal(struct buffer *tar, size_t at)
{
	unsigned sum = 0;

	memset(tar->data + at + 148, ' ', 8);
	for (size_t i = 0; i < TAR_WRITER_BLOCK; i++)
		sum += (unsigned char)tar->data[at + i];
	(void)snprintf(tar->data + at + 148, 8, "%06o", sum);
}

/* A POSIX header; the offset at which it lies. */
static inline size_t tar_header(struct buffer *tar, const char *name, char type, int64_t size)
{
	size_t at = tar->length;
	char digits[24];

	tar_zeros(tar, TAR_WRITER_BLOCK);
	memcpy(tar->data + at, name, strlen(name) < 100 ? strlen(name) : 100);
	memcpy(tar->data + at + 100, "0000644", 7);
	(void)snprintf(digits, sizeof digits, "%011llo", (unsigned long long)size);
	memcpy(tar->data + at + 124, digits, 11);
	tar->data[at + 156] = type;
	memcpy(tar->data + at + 257, "ustar\00000", 8);
	tar_seal(tar, at);
	return at;
}

static inline size_t tar_member_bytes(
	struct buffer *tar, const char *name, char type, const void *bytes, size_t length)
{
	size_t at = tar_header(tar, name, type, (int64_t)length);

	buffer_add(tar, bytes, length);
	tar_zeros(tar, -length % TAR_WRITER_BLOCK);
	return at;
}

static inline size_t tar_file(struct buffer *tar, const char *name, const char *content)
{
	return tar_member_bytes(tar, name, '0', content, strlen(content));
}

static inline size_t tar_folder(struct buffer *tar, const char *name)
{
	return tar_header(tar, name, '5', 0);
}

/* One pax record into records. */
static inline void pax_record(struct buffer *records, const char *key, const char *value)
{
	size_t length = strlen(key) + strlen(value) + 3;
	size_t digits = 1;

	for (size_t next = 0; next != digits;) {
		next = digits;
		digits = (size_t)snprintf(NULL, 0, "%zu", length + next);
	}
	buffer_printf(records, "%zu %s=%s\n", length + digits, key, value);
}

static inline void tar_pax(struct buffer *tar, char type, const char *key, const char *value)
{
	struct buffer records = {0};

	pax_record(&records, key, value);
	(void)tar_member_bytes(tar, "PaxHeaders/x", type, records.data, records.length);
	buffer_finish(&records);
}

static inline void tar_end(struct buffer *tar)
{
	tar_zeros(tar, 2 * TAR_WRITER_BLOCK);
}

/* Packs bytes as one gzip member into *out. */
static inline void gzip_bytes(const void *bytes, size_t length, struct buffer *out)
{
	z_stream zlib = {0};
	uint8_t block[65536];
	int status;

	if (deflateInit2(&zlib, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	zlib.next_in = (Bytef *)bytes;
	zlib.avail_in = (uInt)length;
	do {
		zlib.next_out = block;
		zlib.avail_out = sizeof block;
		status = deflate(&zlib, Z_FINISH);
		buffer_add(out, block, sizeof block - zlib.avail_out);
	} while (status == Z_OK || status == Z_BUF_ERROR);
	(void)deflateEnd(&zlib);
}

/* A stream that hands out one byte at a time, then ends or fails. */
struct trickle {
	struct stream stream;
	const uint8_t *data;
	size_t length;
	bool fails;
};

static inline bool trickle_next(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct trickle *trickle = (struct trickle *)stream;

	if (trickle->length == 0 && trickle->fails)
		return err_set(err, ERR_INTERNAL, "The disk is on fire.");
	*data = trickle->data;
	*length = trickle->length > 0;
	trickle->data += *length;
	trickle->length -= *length;
	return true;
}

static inline struct stream *trickle_init(
	struct trickle *trickle, const void *data, size_t length, bool fails)
{
	*trickle = (struct trickle){{trickle_next}, data, length, fails};
	return &trickle->stream;
}

#endif
