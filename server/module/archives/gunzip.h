/* SPDX-License-Identifier: Apache-2.0
 *
 * Unpacks exactly one gzip member (RFC 1952) as a stream: its CRC and length must be right and nothing but
 * zeros, which some packers fill a record up with, may lie behind it. Hub clients check none of that, so this
 * is where it is checked. */
#ifndef SERVER_MODULE_ARCHIVES_GUNZIP_H
#define SERVER_MODULE_ARCHIVES_GUNZIP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/own.h"
#include "common/stream.h"

enum gunzip_fault {
	GUNZIP_SOUND,
	GUNZIP_BROKEN,       /* not gzip, cut off, wrong CRC, something behind it */
	GUNZIP_TOO_LARGE,    /* the limit of unpacked bytes burst */
	GUNZIP_RATIO,        /* the limit of the ratio burst */
	GUNZIP_SOURCE_FAILED /* the source's own error, passed through */
};

/* A ratio is judged from here on: small archives of zeros are no bombs. */
enum { GUNZIP_RATIO_FROM_BYTES = 16 << 20 };

struct gunzip;

/* Reads from a stream that stays the caller's and must outlive it. The limits are of bytes out and of bytes
 * out to bytes in; 0 is no limit. destroy takes NULL. */
struct gunzip *gunzip_create(struct stream *source, int64_t max_bytes, int64_t max_ratio);
void gunzip_destroy(struct gunzip *gunzip);
AUTO_CLEANER(own_gunzip, struct gunzip *, gunzip_destroy)
#define AUTO_GUNZIP AUTO(own_gunzip)

/* The unpacked bytes in blocks. ERR_INVALID_MODULE where the gzip is at fault; a failure stays. */
struct stream *gunzip_stream(struct gunzip *gunzip);

/* What the stream failed with. */
enum gunzip_fault gunzip_fault(const struct gunzip *gunzip);

/* The CRC-32 of all that was handed out so far. */
uint32_t gunzip_crc(const struct gunzip *gunzip);

/* Whether its header has extra fields, over which Python's tarfile stumbles; known with the first block. */
bool gunzip_has_extra(const struct gunzip *gunzip);

/* Bytes taken from the source and handed out so far. */
int64_t gunzip_bytes_in(const struct gunzip *gunzip);
int64_t gunzip_bytes_out(const struct gunzip *gunzip);

#endif
