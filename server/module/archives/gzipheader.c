/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/gzipheader.h"

#include <isa-l/crc.h>
#include <string.h>

enum { HAS_CRC = 2, HAS_EXTRA = 4, HAS_NAME = 8, HAS_COMMENT = 16, RESERVED = 0xe0 };
enum { DEFLATE = 8 };

/* How a part ends: after so many bytes, after as many as the part before it says, or with a NUL. */
enum extent { FIXED, COUNTED, TEXT };

struct part {
	uint8_t flag; /* 0: always there */
	enum extent extent;
	size_t size;
	const char *(*check)(struct gzip_header *header);
};

static const char *check_fixed(struct gzip_header *header)
{
	const uint8_t *field = header->field;

	header->flags = field[3];
	if (field[0] != 0x1f || field[1] != 0x8b)
		return "incorrect header check";
	if (field[2] != DEFLATE)
		return "unknown compression method";
	return header->flags & RESERVED ? "unknown header flags set" : NULL;
}

static size_t pair(const uint8_t *field)
{
	return (size_t)field[0] | (size_t)field[1] << 8;
}

static const char *check_extra_length(struct gzip_header *header)
{
	header->extra_length = pair(header->field);
	return NULL;
}

static const char *check_crc(struct gzip_header *header)
{
	return pair(header->field) == (header->crc & 0xffff) ? NULL : "header crc mismatch";
}

static const struct part parts[] = {
	{0, FIXED, 10, check_fixed},
	{HAS_EXTRA, FIXED, 2, check_extra_length},
	{HAS_EXTRA, COUNTED, 0, NULL},
	{HAS_NAME, TEXT, 0, NULL},
	{HAS_COMMENT, TEXT, 0, NULL},
	{HAS_CRC, FIXED, 2, check_crc},
};

/* Takes what belongs to the part and returns how much. */
static size_t take_part(
	struct gzip_header *header, const struct part *part, const uint8_t *data, size_t length, bool *ended)
{
	size_t wanted = (part->extent == FIXED ? part->size : header->extra_length) - header->taken;
	const uint8_t *nul;

	if (part->extent == TEXT) {
		nul = memchr(data, '\0', length);
		*ended = nul != NULL;
		return nul ? (size_t)(nul - data) + 1 : length;
	}
	*ended = wanted <= length;
	if (*ended)
		length = wanted;
	if (part->extent == FIXED)
		memcpy(header->field + header->taken, data, length);
	return length;
}

size_t gzip_header_take(struct gzip_header *header, const uint8_t *data, size_t length)
{
	size_t all = 0;

	for (; !header->whole && !header->fault;
		header->whole = header->part == sizeof parts / sizeof *parts) {
		const struct part *part = &parts[header->part];
		bool ended = true;
		size_t taken = 0;

		if (part->flag == 0 || header->flags & part->flag)
			taken = take_part(header, part, data + all, length - all, &ended);
		if (ended && taken > 0 && part->check)
			header->fault = part->check(header);
		if (part->check != check_crc)
			header->crc = crc32_gzip_refl(header->crc, data + all, taken);
		all += taken;
		header->taken += taken;
		if (!ended)
			return all;
		header->taken = 0;
		header->part++;
	}
	return all;
}
