/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/proof.h"

#include <string.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"

enum { BLOCK_BYTES = 256 << 10 };

static const char *const sum_names[SUM_COUNT] = {
	[SUM_SHA256] = "SHA-256",
	[SUM_SHA512] = "SHA-512",
	[SUM_SHA1] = "SHA-1",
	[SUM_MD5] = "MD5",
	[SUM_SHA384] = "SHA-384",
	[SUM_CRC64NVME] = "CRC-64/NVME",
	[SUM_CRC64XZ] = "CRC-64/XZ",
	[SUM_CRC32C] = "CRC-32C",
	[SUM_CRC32] = "CRC-32",
	[SUM_LENGTH] = "length",
};

static bool is_true(const struct statement *statement, uint8_t sums[SUM_COUNT][SUM_BYTES_MAX])
{
	return memcmp(statement->value, sums[statement->sum], sum_size(statement->sum)) == 0;
}

bool proof_hold(const struct testimony *testimony, uint8_t sums[SUM_COUNT][SUM_BYTES_MAX],
	uint8_t others[SUM_COUNT][SUM_BYTES_MAX], struct err *err)
{
	for (size_t i = 0; i < testimony->count; i++) {
		const struct statement *statement = &testimony->items[i];

		if (!is_true(statement, sums) && !(others && is_true(statement, others)))
			return err_set(err, ERR_UPSTREAM_FAILED,
				"what came does not have the %s that it told (%s)", sum_names[statement->sum],
				statement_header(statement));
	}
	return true;
}

bool proof_hold_declared(
	const struct testimony *told, uint8_t sums[SUM_COUNT][SUM_BYTES_MAX], struct err *err)
{
	for (size_t i = 0; i < told->count; i++) {
		const struct statement *statement = &told->items[i];

		if (!is_true(statement, sums))
			return err_set(err, ERR_DIGEST_MISMATCH,
				"the body does not have the %s that the header %s says; send it again",
				sum_names[statement->sum], statement_header(statement));
	}
	return true;
}

static bool read_sums(unsigned wanted, int64_t offset, int64_t size, int fd,
	uint8_t out[SUM_COUNT][SUM_BYTES_MAX], struct err *err)
{
	AUTO_SUMS struct sums *sums = sums_create(wanted);
	AUTO_FREE char *block = mem_zero(1, BLOCK_BYTES);
	size_t length;

	for (int64_t at = 0; at < size; at += (int64_t)length) {
		size_t most = size - at < BLOCK_BYTES ? (size_t)(size - at) : BLOCK_BYTES;

		if (!file_read_at(fd, block, most, offset + at, &length, err))
			return false;
		if (length == 0)
			return err_set(err, ERR_INTERNAL, "what came has become shorter");
		sums_add(sums, block, length);
	}
	sums_result(sums, out);
	return true;
}

static struct testimony only(const struct testimony *testimony, unsigned sums)
{
	struct testimony out = {.count = 0};

	for (size_t i = 0; i < testimony->count; i++) {
		if (sums & 1u << testimony->items[i].sum)
			out.items[out.count++] = testimony->items[i];
	}
	return out;
}

bool proof_check(
	const struct testimony *testimony, const struct sum_set *known, int64_t size, int fd, struct err *err)
{
	struct sum_set sums = *known;
	unsigned more = testimony_wanted(testimony) & ~known->known;
	struct testimony held = only(testimony, fd < 0 ? known->known : ~0u);

	return (more == 0 || fd < 0 || read_sums(more, 0, size, fd, sums.values, err)) &&
	       proof_hold(&held, sums.values, NULL, err);
}

bool proof_check_part(
	const struct testimony *testimony, int64_t offset, int64_t size, int fd, struct err *err)
{
	uint8_t sums[SUM_COUNT][SUM_BYTES_MAX] = {0};
	unsigned wanted = testimony_wanted(testimony);

	return (wanted == 0 || read_sums(wanted, offset, size, fd, sums, err)) &&
	       proof_hold(testimony, sums, NULL, err);
}
