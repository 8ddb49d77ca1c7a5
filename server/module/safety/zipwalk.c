/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/zipwalk.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/mem.h"

enum { DESCRIPTOR_BYTES = 16, DESCRIPTOR_64_BYTES = 24 };
enum { HEADER_BYTES = 30, NAME_BYTES_MAX = 1024, PIECE_BYTES = 64 << 10, EXTRA_ZIP64 = 1 };
/* Of the directory's end, behind its signature. */
enum { END_BYTES = 18, END_COUNT_AT = 6, COUNT_ELSEWHERE = 0xffff };
enum { FLAG_ENCRYPTED = 1, FLAG_DESCRIPTOR = 8 };
enum { METHOD_STORED = 0, METHOD_DEFLATED = 8 };

enum zip_state { AT_SIGNATURE, IN_HEADER, IN_NAME, IN_EXTRA, IN_DATA, AT_DESCRIPTOR, AT_END, LOST };

struct zipwalk {
	struct zip_listener listener;
	struct safety_unzipped *budget;
	uint64_t files;         /* so far */
	uint32_t window;        /* the last four bytes of the directory */
	uint8_t end[END_BYTES]; /* what follows the last signature of its end */
	size_t end_length;
	bool is_ended; /* there was one */
	enum zip_state state;
	uint8_t fixed[HEADER_BYTES];
	size_t have; /* of what is gathered */
	unsigned flags;
	unsigned method;
	uint64_t packed; /* bytes of the file that are still to come */
	bool is_sized;   /* that is known */
	uint64_t given;  /* of a file whose length is told behind it */
	size_t name_length;
	size_t extra_length;
	char name[NAME_BYTES_MAX + 1];
	uint8_t extra[4 + 20]; /* the first of its fields */
	z_stream inflating;
	bool is_inflating;
	uint8_t out[PIECE_BYTES];
};

struct zipwalk *zipwalk_create(const struct zip_listener *listener, struct safety_unzipped *budget)
{
	struct zipwalk *walk = mem_zero(1, sizeof *walk);

	walk->listener = *listener;
	walk->budget = budget;
	return walk;
}

static void end_inflating(struct zipwalk *walk)
{
	if (walk->is_inflating)
		(void)inflateEnd(&walk->inflating);
	walk->is_inflating = false;
}

void zipwalk_destroy(struct zipwalk *walk)
{
	if (!walk)
		return;
	end_inflating(walk);
	free(walk);
}

static unsigned read_16(const uint8_t *at)
{
	return at[0] | (unsigned)at[1] << 8;
}

static uint32_t read_32(const uint8_t *at)
{
	return read_16(at) | (uint32_t)read_16(at + 2) << 16;
}

static uint64_t read_64(const uint8_t *at)
{
	return read_32(at) | (uint64_t)read_32(at + 4) << 32;
}

/* Copies up to wanted bytes; true once all are there. *used is how many of data that took. */
static bool gather(struct zipwalk *walk, uint8_t *into, size_t room, size_t wanted, const uint8_t *data,
	size_t length, size_t *used)
{
	size_t more = wanted - walk->have < length ? wanted - walk->have : length;
	size_t kept = walk->have >= room ? 0 : room - walk->have < more ? room - walk->have : more;

	if (kept > 0)
		memcpy(into + walk->have, data, kept);
	walk->have += more;
	*used = more;
	if (walk->have < wanted)
		return false;
	walk->have = 0;
	return true;
}

static void lose(struct zipwalk *walk)
{
	walk->state = LOST;
}

/* ---- one file ---- */

static void give(struct zipwalk *walk, const uint8_t *data, size_t length)
{
	walk->budget->unpacked += (int64_t)length;
	if (walk->budget->unpacked - ZIPWALK_FREE_BYTES > walk->budget->packed * ZIPWALK_RATIO)
		lose(walk);
	else if (length > 0)
		walk->listener.bytes(walk->listener.context, data, length);
}

static void end_file(struct zipwalk *walk)
{
	end_inflating(walk);
	walk->listener.end(walk->listener.context);
	if (walk->state != LOST)
		walk->state = walk->flags & FLAG_DESCRIPTOR ? AT_DESCRIPTOR : AT_SIGNATURE;
}

static void take_zip64(struct zipwalk *walk)
{
	if (walk->packed != UINT32_MAX)
		return;
	if (walk->extra_length < 20 || read_16(walk->extra) != EXTRA_ZIP64 || read_16(walk->extra + 2) < 16)
		lose(walk);
	else
		walk->packed = read_64(walk->extra + 12);
}

static void begin_file(struct zipwalk *walk)
{
	bool is_deflated = walk->method == METHOD_DEFLATED;

	walk->state = IN_DATA;
	walk->given = 0;
	walk->is_sized = !(walk->flags & FLAG_DESCRIPTOR) || walk->packed > 0;
	take_zip64(walk);
	if (walk->state == LOST || walk->flags & FLAG_ENCRYPTED ||
		(walk->method != METHOD_STORED && !is_deflated)) {
		lose(walk);
		return;
	}
	walk->name[walk->name_length < NAME_BYTES_MAX ? walk->name_length : NAME_BYTES_MAX] = '\0';
	walk->listener.begin(walk->listener.context, walk->name);
	walk->files++;
	if (is_deflated) {
		walk->inflating = (z_stream){0};
		walk->is_inflating = inflateInit2(&walk->inflating, -MAX_WBITS) == Z_OK;
		if (!walk->is_inflating)
			lose(walk);
	} else if (walk->is_sized && walk->packed == 0) {
		end_file(walk);
	}
}

static size_t take_stored(struct zipwalk *walk, const uint8_t *data, size_t length)
{
	size_t taken = length < walk->packed ? length : (size_t)walk->packed;

	give(walk, data, taken);
	walk->packed -= taken;
	if (walk->packed == 0 && walk->state != LOST)
		end_file(walk);
	return taken;
}

static void give_unsized(struct zipwalk *walk, const uint8_t *data, size_t length)
{
	walk->given += length;
	give(walk, data, length);
}

/* Whether what is gathered is a descriptor of what was given. */
static bool is_descriptor(const struct zipwalk *walk)
{
	const uint8_t *at = walk->fixed;

	return walk->have == DESCRIPTOR_BYTES
		       ? read_32(at + 8) == walk->given && read_32(at + 12) == walk->given
		       : read_64(at + 8) == walk->given && read_64(at + 16) == walk->given;
}

/* One byte of what may be a descriptor; its first ones are gathered. */
static void take_candidate(struct zipwalk *walk, uint8_t byte)
{
	static const uint8_t sign[] = {'P', 'K', 7, 8};

	if (walk->have < sizeof sign && byte != sign[walk->have]) {
		give_unsized(walk, walk->fixed, walk->have);
		walk->have = 0;
		if (byte != sign[0]) {
			give_unsized(walk, &byte, 1);
			return;
		}
	}
	walk->fixed[walk->have++] = byte;
}

/* What was no descriptor may have the beginning of one in it. It is too short to come here again. */
static void try_behind(struct zipwalk *walk)
{
	uint8_t again[DESCRIPTOR_64_BYTES];
	size_t length = walk->have;

	memcpy(again, walk->fixed, length);
	walk->have = 0;
	give_unsized(walk, again, 1);
	(void)zipwalk_feed(walk, again + 1, length - 1);
}

/* A stored file whose length is told behind it, as PyTorch writes them: it ends where a descriptor tells just
 * the length that it has had. */
static size_t take_unsized(struct zipwalk *walk, const uint8_t *data, size_t length)
{
	const uint8_t *first = walk->have > 0 ? data : memchr(data, 'P', length);

	if (walk->have == 0) {
		size_t before = first ? (size_t)(first - data) : length;

		if (before > 0) {
			give_unsized(walk, data, before);
			return before;
		}
	}
	take_candidate(walk, *data);
	if ((walk->have == DESCRIPTOR_BYTES || walk->have == DESCRIPTOR_64_BYTES) && is_descriptor(walk)) {
		walk->have = 0;
		walk->flags &= ~(unsigned)FLAG_DESCRIPTOR;
		end_file(walk);
	} else if (walk->have == DESCRIPTOR_64_BYTES) {
		try_behind(walk);
	}
	return 1;
}

static size_t take_deflated(struct zipwalk *walk, const uint8_t *data, size_t length)
{
	size_t fed = length < PIECE_BYTES ? length : PIECE_BYTES;
	int result = Z_OK;

	walk->inflating.next_in = (uint8_t *)data;
	walk->inflating.avail_in = (uInt)fed;
	do {
		walk->inflating.next_out = walk->out;
		walk->inflating.avail_out = sizeof walk->out;
		result = inflate(&walk->inflating, Z_NO_FLUSH);
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
			lose(walk);
			return fed;
		}
		give(walk, walk->out, sizeof walk->out - walk->inflating.avail_out);
	} while (walk->state != LOST && result == Z_OK && walk->inflating.avail_out == 0);
	fed -= walk->inflating.avail_in;
	if (result == Z_STREAM_END && walk->state != LOST)
		end_file(walk);
	return fed;
}

/* ---- headers ---- */

static void read_header(struct zipwalk *walk)
{
	walk->flags = read_16(walk->fixed + 6);
	walk->method = read_16(walk->fixed + 8);
	walk->packed = read_32(walk->fixed + 18);
	walk->name_length = read_16(walk->fixed + 26);
	walk->extra_length = read_16(walk->fixed + 28);
	walk->state = IN_NAME;
}

/* The directory, of which only the count is looked at; and whether another zip follows it. */
static void pass_directory(struct zipwalk *walk, const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length && walk->state != LOST; i++) {
		walk->window = walk->window << 8 | data[i];
		if (walk->is_ended && walk->end_length < END_BYTES)
			walk->end[walk->end_length++] = data[i];
		if (walk->window == 0x504b0304)
			lose(walk);
		if (walk->window != 0x504b0506)
			continue;
		walk->is_ended = true;
		walk->end_length = 0;
	}
}

/* A file, or the directory behind them all. */
static void read_signature(struct zipwalk *walk)
{
	uint32_t signature = read_32(walk->fixed);

	if (signature == 0x04034b50) {
		walk->state = IN_HEADER;
		walk->have = 4;
	} else if (signature == 0x02014b50 || signature == 0x06054b50 || signature == 0x06064b50) {
		walk->state = AT_END;
		walk->is_ended = signature == 0x06054b50;
	} else {
		lose(walk);
	}
}

/* With a signature or without, of 4 or of 8 bytes a number: what follows it tells which, and is looked for.
 */
static size_t skip_descriptor(struct zipwalk *walk, const uint8_t *data)
{
	static const size_t longest = 24;

	memmove(walk->fixed, walk->fixed + 1, 3);
	walk->fixed[3] = *data;
	walk->have++;
	if (walk->have >= 12 && walk->fixed[0] == 'P' && walk->fixed[1] == 'K' &&
		((walk->fixed[2] == 3 && walk->fixed[3] == 4) ||
			(walk->fixed[2] == 1 && walk->fixed[3] == 2))) {
		walk->have = 0;
		read_signature(walk);
	} else if (walk->have > longest + 4) {
		lose(walk);
	}
	return 1;
}

static size_t take(struct zipwalk *walk, const uint8_t *data, size_t length)
{
	size_t used = 0;

	switch (walk->state) {
	case AT_SIGNATURE:
		if (gather(walk, walk->fixed, sizeof walk->fixed, 4, data, length, &used))
			read_signature(walk);
		return used;
	case IN_HEADER:
		if (gather(walk, walk->fixed, sizeof walk->fixed, HEADER_BYTES, data, length, &used))
			read_header(walk);
		return used;
	case IN_NAME:
		if (gather(walk, (uint8_t *)walk->name, NAME_BYTES_MAX, walk->name_length, data, length,
			    &used))
			walk->state = IN_EXTRA;
		return used;
	case IN_EXTRA:
		if (gather(walk, walk->extra, sizeof walk->extra, walk->extra_length, data, length, &used))
			begin_file(walk);
		return used;
	case AT_END:
		pass_directory(walk, data, length);
		return length;
	case AT_DESCRIPTOR:
		return skip_descriptor(walk, data);
	default:
		return walk->is_inflating ? take_deflated(walk, data, length)
		       : walk->is_sized   ? take_stored(walk, data, length)
					  : take_unsized(walk, data, length);
	}
}

bool zipwalk_feed(struct zipwalk *walk, const uint8_t *data, size_t length)
{
	while (length > 0 && walk->state != LOST) {
		size_t used = take(walk, data, length);

		data += used;
		length -= used;
	}
	return walk->state != LOST;
}

bool zipwalk_is_whole(const struct zipwalk *walk)
{
	unsigned count = read_16(walk->end + END_COUNT_AT);

	return walk->state == AT_END && walk->end_length == END_BYTES &&
	       (count == COUNT_ELSEWHERE || count == (walk->files & COUNT_ELSEWHERE));
}
