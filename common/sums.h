/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of a stream of bytes by whichever algorithms are asked for, and only by those. */
#ifndef COMMON_SUMS_H
#define COMMON_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "common/own.h"

/* SUM_LENGTH is how many bytes there were, as the others big-endian. */
enum sum {
	SUM_SHA256,
	SUM_SHA512,
	SUM_SHA384,
	SUM_SHA1,
	SUM_MD5,
	SUM_CRC32C,
	SUM_CRC32,
	SUM_CRC64NVME, /* Rocksoft's, of NVM Express and Amazon */
	SUM_CRC64XZ,   /* of ECMA-182, as xz and Alibaba have it */
	SUM_LENGTH,
	SUM_COUNT
};
enum { SUM_BYTES_MAX = 64 };

/* How many bytes a sum has. */
size_t sum_size(enum sum sum);

/* Writes a length as SUM_LENGTH has it. */
void sum_of_length(uint64_t length, uint8_t out[SUM_BYTES_MAX]);

/* Sums of one stream of bytes, those of them that are known (1 << SUM_SHA256 …). */
struct sum_set {
	unsigned known;
	uint8_t values[SUM_COUNT][SUM_BYTES_MAX];
};

struct sums;

/* wanted: a bit for each, 1 << SUM_SHA256 … destroy takes NULL. */
struct sums *sums_create(unsigned wanted);
void sums_add(struct sums *sums, const void *bytes, size_t length);

/* Ends the stream; it can only be destroyed from here on. What is not wanted stays as it is. */
void sums_result(struct sums *sums, uint8_t out[SUM_COUNT][SUM_BYTES_MAX]);
void sums_destroy(struct sums *sums);
AUTO_CLEANER(own_sums, struct sums *, sums_destroy)
#define AUTO_SUMS AUTO(own_sums)

#endif
