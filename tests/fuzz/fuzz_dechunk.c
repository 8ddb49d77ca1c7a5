/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a body in chunks, in one piece and byte by byte: both read the same, and never more than there
 * is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/exchange/dechunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	bool good;
	bool ended;
	size_t read;
	size_t taken;
	uint32_t sum;
};

static struct outcome decode(const char *bytes, size_t length, size_t step)
{
	struct dechunk dechunk = {0};
	struct outcome outcome = {.good = true};
	struct err err;

	while (outcome.good && outcome.read < length && dechunk.state != DECHUNK_END) {
		size_t left = length - outcome.read < step ? length - outcome.read : step;
		size_t read;
		size_t data;

		outcome.good = dechunk_read(&dechunk, bytes + outcome.read, left, &read, &data, &err);
		if (!outcome.good)
			break;
		if (read + data > left || read + data == 0)
			abort();
		for (size_t i = 0; i < data; i++)
			outcome.sum = outcome.sum * 31 + (uint8_t)bytes[outcome.read + read + i];
		dechunk_take(&dechunk, data);
		outcome.read += read + data;
		outcome.taken += data;
	}
	outcome.ended = dechunk.state == DECHUNK_END;
	if (!outcome.good)
		outcome.read = 0;
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct outcome whole = decode((const char *)data, size, size);
	const struct outcome bytewise = decode((const char *)data, size, 1);

	if (whole.good != bytewise.good || whole.ended != bytewise.ended || whole.read != bytewise.read ||
		(whole.good && (whole.taken != bytewise.taken || whole.sum != bytewise.sum)))
		abort();
	return 0;
}
