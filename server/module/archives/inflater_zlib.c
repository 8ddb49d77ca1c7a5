/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/mem.h"
#include "server/module/archives/inflater.h"

enum { WINDOW_BITS = 15, GZIP_ONLY = 16 };

struct inflater {
	z_stream zlib;
	gz_header header;
};

struct inflater *inflater_create(void)
{
	struct inflater *inflater = mem_zero(1, sizeof *inflater);

	/* It fails for want of memory only, and then as every small allocation does. */
	if (inflateInit2(&inflater->zlib, WINDOW_BITS + GZIP_ONLY) != Z_OK)
		abort();
	(void)inflateGetHeader(&inflater->zlib, &inflater->header);
	return inflater;
}

void inflater_destroy(struct inflater *inflater)
{
	(void)inflateEnd(&inflater->zlib);
	free(inflater);
}

void inflater_feed(struct inflater *inflater, const uint8_t *data, size_t length)
{
	inflater->zlib.next_in = (Bytef *)data;
	inflater->zlib.avail_in = (uInt)length;
}

size_t inflater_left(const struct inflater *inflater)
{
	return inflater->zlib.avail_in;
}

static enum inflated fault_of(const struct inflater *inflater)
{
	const char *message = inflater_complaint(inflater);

	if (strcmp(message, "incorrect data check") == 0)
		return INFLATED_WRONG_CRC;
	if (strcmp(message, "incorrect length check") == 0)
		return INFLATED_WRONG_LENGTH;
	return INFLATED_BROKEN;
}

enum inflated inflater_run(struct inflater *inflater, uint8_t *out, size_t *length)
{
	int status;

	inflater->zlib.next_out = out;
	inflater->zlib.avail_out = (uInt)*length;
	status = inflate(&inflater->zlib, Z_NO_FLUSH);
	*length -= inflater->zlib.avail_out;
	if (status == Z_STREAM_END)
		return INFLATED_ENDED;
	if (status != Z_OK && status != Z_BUF_ERROR)
		return fault_of(inflater);
	return inflater->zlib.avail_out > 0 ? INFLATED_STARVED : INFLATED_FULL;
}

uint32_t inflater_crc(const struct inflater *inflater)
{
	return (uint32_t)inflater->zlib.adler;
}

uint32_t inflater_crc_on(uint32_t crc, const uint8_t *data, size_t length)
{
	return (uint32_t)crc32_z(crc, data, length);
}

bool inflater_has_extra(const struct inflater *inflater)
{
	return inflater->header.extra_len > 0;
}

const char *inflater_complaint(const struct inflater *inflater)
{
	return inflater->zlib.msg ? inflater->zlib.msg : "broken data";
}
