/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sums.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

enum { SLICES = 8 };

static const struct row {
	size_t size;
	const char *name;    /* NULL: no hash of OpenSSL's */
	uint64_t polynomial; /* of a CRC, reflected */
} rows[SUM_COUNT] = {
	[SUM_SHA256] = {32, "SHA256", 0},
	[SUM_SHA512] = {64, "SHA512", 0},
	[SUM_SHA384] = {48, "SHA384", 0},
	[SUM_SHA1] = {20, "SHA1", 0},
	[SUM_MD5] = {16, "MD5", 0},
	[SUM_CRC32C] = {4, NULL, 0x82f63b78},
	[SUM_CRC32] = {4, NULL, 0xedb88320},
	[SUM_CRC64NVME] = {8, NULL, 0x9a6c9329ac4bc9b5},
	[SUM_CRC64XZ] = {8, NULL, 0xc96c5795d7870f42},
	[SUM_LENGTH] = {8, NULL, 0},
};

struct crc {
	uint64_t value; /* of one of 32 bits, the lower half */
	uint64_t table[SLICES][256];
};

struct sums {
	EVP_MD_CTX *hashes[SUM_COUNT];
	struct crc *crcs[SUM_COUNT];
	uint64_t length;
	bool counts;
};

size_t sum_size(enum sum sum)
{
	return rows[sum].size;
}

/* OpenSSL fails here only when memory is exhausted or the library is broken: nothing a caller could decide
 * on. */
static void must(int ok)
{
	if (ok != 1) {
		(void)fputs("larder: OpenSSL cannot hash on this machine\n", stderr);
		abort();
	}
}

static struct crc *new_crc(const struct row *row)
{
	struct crc *crc = mem_zero(1, sizeof *crc);

	crc->value = row->size == 8 ? UINT64_MAX : UINT32_MAX;
	for (uint64_t i = 0; i < 256; i++) {
		uint64_t value = i;

		for (int bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? row->polynomial : 0);
		crc->table[0][i] = value;
	}
	for (int slice = 1; slice < SLICES; slice++) {
		for (int i = 0; i < 256; i++) {
			uint64_t before = crc->table[slice - 1][i];

			crc->table[slice][i] = before >> 8 ^ crc->table[0][before & 0xff];
		}
	}
	return crc;
}

static uint64_t read_eight(const uint8_t *bytes)
{
	uint64_t number = 0;

	for (int i = 0; i < SLICES; i++)
		number |= (uint64_t)bytes[i] << 8 * i;
	return number;
}

/* Eight bytes at a time: a table for each. */
static void add_to_crc(struct crc *crc, const uint8_t *bytes, size_t length)
{
	uint64_t value = crc->value;

	for (; length >= SLICES; bytes += SLICES, length -= SLICES) {
		uint64_t eight = value ^ read_eight(bytes);

		value = 0;
		for (int i = 0; i < SLICES; i++)
			value ^= crc->table[SLICES - 1 - i][eight >> 8 * i & 0xff];
	}
	for (; length > 0; bytes++, length--)
		value = value >> 8 ^ crc->table[0][(value ^ *bytes) & 0xff];
	crc->value = value;
}

/* Found once for the process, as in digest.c. */
static EVP_MD *types[SUM_COUNT];

static void find_types(void)
{
	for (int i = 0; i < SUM_COUNT; i++) {
		types[i] = rows[i].name ? EVP_MD_fetch(NULL, rows[i].name, NULL) : NULL;
		must(!rows[i].name || types[i]);
	}
}

struct sums *sums_create(unsigned wanted)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sums *sums = mem_zero(1, sizeof *sums);

	(void)pthread_once(&once, find_types);
	for (int i = 0; i < SUM_COUNT; i++) {
		if (!(wanted & 1u << i))
			continue;
		if (types[i]) {
			sums->hashes[i] = EVP_MD_CTX_new();
			must(sums->hashes[i] != NULL);
			must(EVP_DigestInit_ex(sums->hashes[i], types[i], NULL));
		} else if (rows[i].polynomial) {
			sums->crcs[i] = new_crc(&rows[i]);
		}
	}
	sums->counts = wanted & 1u << SUM_LENGTH;
	return sums;
}

void sums_add(struct sums *sums, const void *bytes, size_t length)
{
	sums->length += length;
	for (int i = 0; i < SUM_COUNT; i++) {
		if (sums->hashes[i])
			must(EVP_DigestUpdate(sums->hashes[i], bytes, length));
		if (sums->crcs[i])
			add_to_crc(sums->crcs[i], bytes, length);
	}
}

static void put_number(uint8_t *out, uint64_t number, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(number >> 8 * (size - 1 - i));
}

void sum_of_length(uint64_t length, uint8_t out[SUM_BYTES_MAX])
{
	put_number(out, length, rows[SUM_LENGTH].size);
}

void sums_result(struct sums *sums, uint8_t out[SUM_COUNT][SUM_BYTES_MAX])
{
	for (int i = 0; i < SUM_COUNT; i++) {
		if (sums->hashes[i])
			must(EVP_DigestFinal_ex(sums->hashes[i], out[i], NULL));
		if (sums->crcs[i])
			put_number(out[i], ~sums->crcs[i]->value, rows[i].size);
	}
	if (sums->counts)
		sum_of_length(sums->length, out[SUM_LENGTH]);
}

void sums_destroy(struct sums *sums)
{
	if (!sums)
		return;
	for (int i = 0; i < SUM_COUNT; i++) {
		EVP_MD_CTX_free(sums->hashes[i]);
		free(sums->crcs[i]);
	}
	free(sums);
}
