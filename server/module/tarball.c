/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/tarball.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/ustar.h"

/* A stored block of deflate tells its length in 16 bits. */
enum { STORED_MAX = 65535, STORED_HEAD = 5 };

struct tarball {
	struct tarball_sink sink;
	bool begun;
	uint32_t crc;
	uint32_t length; /* of the tar, modulo 2^32 as gzip has it */
	int64_t file_bytes;
	size_t stored;
	uint8_t block[STORED_HEAD + STORED_MAX];
};

/* No name, no time; the system is said to be unknown. */
static const uint8_t gzip_head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};

static bool put(struct tarball *tarball, const void *bytes, size_t length, struct err *err)
{
	return tarball->sink.write(tarball->sink.context, bytes, length, err);
}

static void set_little_endian(uint8_t *out, uint32_t number, int bytes)
{
	for (int i = 0; i < bytes; i++)
		out[i] = (uint8_t)(number >> 8 * i);
}

static bool put_block(struct tarball *tarball, bool is_last, struct err *err)
{
	size_t stored = tarball->stored;

	tarball->block[0] = is_last;
	set_little_endian(tarball->block + 1, (uint32_t)stored, 2);
	set_little_endian(tarball->block + 3, ~(uint32_t)stored, 2);
	tarball->stored = 0;
	return put(tarball, tarball->block, STORED_HEAD + stored, err);
}

/* Blocks are filled, however the bytes come: they are the same each time. */
static bool store(struct tarball *tarball, const void *bytes, size_t length, struct err *err)
{
	const uint8_t *next = bytes;

	tarball->crc = (uint32_t)crc32_z(tarball->crc, next, length);
	tarball->length += (uint32_t)length;
	while (length > 0) {
		size_t room = STORED_MAX - tarball->stored;
		size_t piece = length < room ? length : room;

		memcpy(tarball->block + STORED_HEAD + tarball->stored, next, piece);
		tarball->stored += piece;
		next += piece;
		length -= piece;
		if (tarball->stored == STORED_MAX && !put_block(tarball, false, err))
			return false;
	}
	return true;
}

static bool store_all(struct tarball *tarball, const struct buffer *bytes, struct err *err)
{
	return store(tarball, bytes->data, bytes->length, err);
}

static bool add_header(
	struct tarball *tarball, const char *name, bool is_folder, int64_t size_bytes, struct err *err)
{
	AUTO_BUFFER struct buffer header = {0};

	ustar_add_padding(&header, tarball->file_bytes);
	ustar_add_header(&header, name, is_folder, size_bytes);
	tarball->file_bytes = size_bytes;
	return store_all(tarball, &header, err);
}

struct tarball *tarball_create(const struct tarball_sink *sink)
{
	struct tarball *tarball = mem_zero(1, sizeof *tarball);

	tarball->sink = *sink;
	return tarball;
}

void tarball_destroy(struct tarball *tarball)
{
	free(tarball);
}

static bool begin(struct tarball *tarball, struct err *err)
{
	if (tarball->begun)
		return true;
	tarball->begun = true;
	return put(tarball, gzip_head, sizeof gzip_head, err) && add_header(tarball, "./", true, 0, err);
}

bool tarball_add_folder(struct tarball *tarball, const char *path, struct err *err)
{
	AUTO_FREE char *name = mem_printf("./%s/", path);

	return begin(tarball, err) && add_header(tarball, name, true, 0, err);
}

bool tarball_add_file(struct tarball *tarball, const char *path, int64_t size_bytes, struct err *err)
{
	AUTO_FREE char *name = mem_printf("./%s", path);

	return begin(tarball, err) && add_header(tarball, name, false, size_bytes, err);
}

bool tarball_write(struct tarball *tarball, const void *bytes, size_t length, struct err *err)
{
	return store(tarball, bytes, length, err);
}

bool tarball_finish(struct tarball *tarball, struct err *err)
{
	AUTO_BUFFER struct buffer end = {0};
	uint8_t trailer[8];

	if (!begin(tarball, err))
		return false;
	ustar_add_padding(&end, tarball->file_bytes);
	ustar_add_end(&end);
	if (!store_all(tarball, &end, err) || !put_block(tarball, true, err))
		return false;
	set_little_endian(trailer, tarball->crc, 4);
	set_little_endian(trailer + 4, tarball->length, 4);
	return put(tarball, trailer, sizeof trailer, err);
}
