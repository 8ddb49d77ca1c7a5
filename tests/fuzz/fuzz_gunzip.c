/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes, as a gzip member and as the deflated part of one, in pieces and into rooms of many sizes. Each
 * piece and each room ends where an unreadable page begins: the inner loops of an inflater may be assembly,
 * where no sanitizer looks. What zlib unpacks must come out the same, and what it refuses must be refused. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "server/module/archives/inflater.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REGION = 256 << 10, UNPACKED_MAX = 512 << 10 };

/* Memory whose end, and whose beginning, is guarded. */
struct region {
	uint8_t *end;
};

struct place {
	struct region in;
	struct region out;
};

struct outcome {
	bool sound;
	size_t length;
	size_t behind; /* bytes behind the member */
	uint8_t *bytes;
};

static struct region map_region(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *memory =
		mmap(NULL, REGION + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) < 0 ||
		mprotect(memory + page + REGION, page, PROT_NONE) < 0)
		abort();
	return (struct region){.end = memory + page + REGION};
}

static void unmap_region(struct region region)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	(void)munmap(region.end - REGION - page, REGION + 2 * page);
}

static struct outcome unpack_with_zlib(const uint8_t *data, size_t size)
{
	struct outcome outcome = {.bytes = malloc(UNPACKED_MAX)};
	z_stream zlib = {.next_in = (Bytef *)data, .avail_in = (uInt)size};

	if (!outcome.bytes || inflateInit2(&zlib, 15 + 16) != Z_OK)
		abort();
	zlib.next_out = outcome.bytes;
	zlib.avail_out = UNPACKED_MAX;
	outcome.sound = inflate(&zlib, Z_NO_FLUSH) == Z_STREAM_END;
	outcome.length = UNPACKED_MAX - zlib.avail_out;
	outcome.behind = zlib.avail_in;
	(void)inflateEnd(&zlib);
	return outcome;
}

/* Copies what is left, a piece of at most this many bytes, to the end of the region. */
static void feed(
	struct inflater *inflater, struct region region, const uint8_t **data, size_t *size, size_t most)
{
	size_t length = *size < most ? *size : most;

	memcpy(region.end - length, *data, length);
	inflater_feed(inflater, region.end - length, length);
	*data += length;
	*size -= length;
}

static enum inflated run(
	struct inflater *inflater, struct region region, size_t room, struct outcome *outcome)
{
	size_t left = UNPACKED_MAX - outcome->length;
	size_t length = room < left ? room : left;
	uint8_t *out = region.end - length;
	enum inflated inflated = inflater_run(inflater, out, &length);

	memcpy(outcome->bytes + outcome->length, out, length);
	outcome->length += length;
	return inflated;
}

static struct outcome unpack(
	const struct place *place, const uint8_t *data, size_t size, size_t piece, size_t room)
{
	struct outcome outcome = {.bytes = malloc(UNPACKED_MAX)};
	struct inflater *inflater = inflater_create();
	enum inflated inflated = INFLATED_STARVED;

	if (!outcome.bytes)
		abort();
	do {
		if (inflated == INFLATED_STARVED && inflater_left(inflater) == 0)
			feed(inflater, place->in, &data, &size, piece);
		inflated = run(inflater, place->out, room, &outcome);
	} while ((inflated == INFLATED_FULL && outcome.length < UNPACKED_MAX) ||
		 (inflated == INFLATED_STARVED && size > 0));
	outcome.sound = inflated == INFLATED_ENDED;
	outcome.behind = inflater_left(inflater) + size;
	inflater_destroy(inflater);
	return outcome;
}

static void compare(const struct outcome *outcome, const struct outcome *expected)
{
	if (expected->length == UNPACKED_MAX || outcome->length == UNPACKED_MAX)
		return;
	if (outcome->sound != expected->sound)
		abort();
	if (outcome->sound && (outcome->length != expected->length || outcome->behind != expected->behind ||
				      memcmp(outcome->bytes, expected->bytes, outcome->length) != 0))
		abort();
}

static void try(const struct place *place, const uint8_t *data, size_t size)
{
	static const struct {
		size_t piece;
		size_t room;
	} rows[] = {{REGION, REGION}, {1, REGION}, {REGION, 131072}, {7, 1}, {61, 32768}, {4096, 65537},
		{2, 333}};
	struct outcome expected = unpack_with_zlib(data, size);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct outcome outcome = unpack(place, data, size, rows[i].piece, rows[i].room);

		compare(&outcome, &expected);
		free(outcome.bytes);
	}
	free(expected.bytes);
}

/* Inside a header, and with the trailer that zlib finds right for what it unpacks, if it does. */
static void try_deflated(const struct place *place, const uint8_t *data, size_t size)
{
	static const uint8_t header[10] = {0x1f, 0x8b, 8};
	uint8_t *gzip = malloc(sizeof header + size + 8);
	z_stream zlib = {.next_in = (Bytef *)data, .avail_in = (uInt)size, .avail_out = UNPACKED_MAX};
	uint8_t *plain = malloc(UNPACKED_MAX);
	size_t length;
	uLong crc;

	if (!gzip || !plain || inflateInit2(&zlib, -15) != Z_OK)
		abort();
	zlib.next_out = plain;
	(void)inflate(&zlib, Z_NO_FLUSH);
	size -= zlib.avail_in;
	length = UNPACKED_MAX - zlib.avail_out;
	(void)inflateEnd(&zlib);
	crc = crc32(0, plain, (uInt)length);
	memcpy(gzip, header, sizeof header);
	memcpy(gzip + sizeof header, data, size);
	for (size_t i = 0; i < 4; i++) {
		gzip[sizeof header + size + i] = (uint8_t)(crc >> 8 * i);
		gzip[sizeof header + size + 4 + i] = (uint8_t)(length >> 8 * i);
	}
	try(place, gzip, sizeof header + size + 8);
	free(plain);
	free(gzip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct place place = {.in = map_region(), .out = map_region()};

	try(&place, data, size);
	try_deflated(&place, data, size);
	unmap_region(place.in);
	unmap_region(place.out);
	return 0;
}
