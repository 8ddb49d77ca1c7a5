/* SPDX-License-Identifier: Apache-2.0 */
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/module/archives/gzipheader.h"
#include "server/module/archives/inflater.h"

enum { TRAILER_BYTES = 8 };

struct inflater {
	struct gzip_header header;
	uint8_t last[TRAILER_BYTES]; /* the last bytes taken: the trailer, in the end */
	uint32_t made;               /* bytes unpacked, modulo 2^32 as the trailer counts them */
	const char *complaint;
	struct inflate_state isal;
};

struct inflater *inflater_create(void)
{
	struct inflater *inflater = mem_zero(1, sizeof *inflater);

	isal_inflate_init(&inflater->isal);
	/* ISA-L 2.30 forgets a header's flags between two pieces, so the header is ours. With _VER it takes
	 * the trailer exactly, whatever its version; without, some give back bytes of a piece that is gone.
	 */
	inflater->isal.crc_flag = ISAL_GZIP_NO_HDR_VER;
	return inflater;
}

void inflater_destroy(struct inflater *inflater)
{
	free(inflater);
}

void inflater_feed(struct inflater *inflater, const uint8_t *data, size_t length)
{
	inflater->isal.next_in = (uint8_t *)data;
	inflater->isal.avail_in = (uint32_t)length;
}

size_t inflater_left(const struct inflater *inflater)
{
	return inflater->isal.avail_in;
}

static bool take_header(struct inflater *inflater)
{
	size_t taken = gzip_header_take(&inflater->header, inflater->isal.next_in, inflater->isal.avail_in);

	inflater->isal.next_in += taken;
	inflater->isal.avail_in -= (uint32_t)taken;
	inflater->complaint = inflater->header.fault;
	return inflater->header.whole && !inflater->header.fault;
}

static void remember(struct inflater *inflater, const uint8_t *end, size_t taken)
{
	size_t fresh = taken < TRAILER_BYTES ? taken : TRAILER_BYTES;

	memmove(inflater->last, inflater->last + fresh, TRAILER_BYTES - fresh);
	memcpy(inflater->last + TRAILER_BYTES - fresh, end - fresh, fresh);
}

static uint32_t little_endian(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* ISA-L tells of both faults by one code, and counts with care that nobody has proved: this is what counts.
 */
static enum inflated check_trailer(const struct inflater *inflater)
{
	if (little_endian(inflater->last) != inflater->isal.crc)
		return INFLATED_WRONG_CRC;
	if (little_endian(inflater->last + 4) != inflater->made)
		return INFLATED_WRONG_LENGTH;
	return INFLATED_ENDED;
}

static const char *meaning_of(int status)
{
	switch (status) {
	case ISAL_INVALID_BLOCK:
		return "invalid block";
	case ISAL_INVALID_SYMBOL:
		return "invalid code";
	case ISAL_INVALID_LOOKBACK:
		return "invalid distance, too far back";
	default:
		return "broken data";
	}
}

static int inflate(struct inflater *inflater, uint8_t *out, size_t *length)
{
	struct inflate_state *isal = &inflater->isal;
	uint32_t given = isal->avail_in;
	int status;

	isal->next_out = out;
	isal->avail_out = (uint32_t)*length;
	status = isal_inflate(isal);
	*length -= isal->avail_out;
	inflater->made += (uint32_t)*length;
	remember(inflater, isal->next_in, given - isal->avail_in);
	return status;
}

enum inflated inflater_run(struct inflater *inflater, uint8_t *out, size_t *length)
{
	size_t room = *length;
	int status;

	*length = 0;
	if (!inflater->header.whole && !take_header(inflater))
		return inflater->complaint ? INFLATED_BROKEN : INFLATED_STARVED;
	*length = room;
	status = inflate(inflater, out, length);
	if (inflater->isal.block_state == ISAL_BLOCK_FINISH)
		return check_trailer(inflater);
	/* With input and room left it must have come to an end or a fault: whatever else it is, it is not
	 * sound. */
	if (status != ISAL_DECOMP_OK || (inflater->isal.avail_in > 0 && *length < room)) {
		inflater->complaint = meaning_of(status);
		return INFLATED_BROKEN;
	}
	return *length < room ? INFLATED_STARVED : INFLATED_FULL;
}

uint32_t inflater_crc(const struct inflater *inflater)
{
	return inflater->isal.crc;
}

uint32_t inflater_crc_on(uint32_t crc, const uint8_t *data, size_t length)
{
	return crc32_gzip_refl(crc, data, length);
}

bool inflater_has_extra(const struct inflater *inflater)
{
	return inflater->header.extra_length > 0;
}

const char *inflater_complaint(const struct inflater *inflater)
{
	return inflater->complaint ? inflater->complaint : "broken data";
}
