/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/attempts.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/mem.h"

/* So many sets of so few, found by the address' digest. */
enum { SETS = 512, WAYS = 4, NETWORK_BYTES = 8, ADDRESS_BYTES = 16 };

static const int64_t full_ms = (int64_t)ATTEMPTS_AT_ONCE * ATTEMPTS_EACH_S * 1000;

struct source {
	uint8_t address[ADDRESS_BYTES];
	int64_t seen_ms; /* 0: free */
	int64_t debt_ms; /* as of seen_ms; each failure adds, time takes off */
};

struct attempts {
	uint8_t salt[32]; /* nobody can choose addresses of one set */
	struct source sources[SETS * WAYS];
};

struct attempts *attempts_create(void)
{
	struct attempts *attempts = mem_zero(1, sizeof *attempts);

	random_bytes(attempts->salt, sizeof attempts->salt);
	return attempts;
}

void attempts_destroy(struct attempts *attempts)
{
	free(attempts);
}

/* ---- whose they are ---- */

/* An IPv4 address as it is mapped; of IPv6 the network. */
static bool read_address(const char *origin, uint8_t out[ADDRESS_BYTES])
{
	struct in6_addr six;
	struct in_addr four;

	memset(out, 0, ADDRESS_BYTES);
	if (!origin)
		return false;
	if (inet_pton(AF_INET, origin, &four) == 1) {
		out[10] = out[11] = 0xff;
		memcpy(out + 12, &four, sizeof four);
		return true;
	}
	if (inet_pton(AF_INET6, origin, &six) != 1)
		return false;
	memcpy(out, six.s6_addr, IN6_IS_ADDR_V4MAPPED(&six) ? ADDRESS_BYTES : NETWORK_BYTES);
	return true;
}

static struct source *set_of(struct attempts *attempts, const uint8_t address[ADDRESS_BYTES])
{
	char salted[sizeof attempts->salt + ADDRESS_BYTES];
	struct digest digest;

	memcpy(salted, attempts->salt, sizeof attempts->salt);
	memcpy(salted + sizeof attempts->salt, address, ADDRESS_BYTES);
	digest = digest_of(salted, sizeof salted);
	return &attempts->sources[(size_t)(digest.bytes[0] | digest.bytes[1] << 8) % SETS * WAYS];
}

static struct source *find(struct attempts *attempts, const uint8_t address[ADDRESS_BYTES])
{
	struct source *set = set_of(attempts, address);

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].seen_ms && memcmp(set[i].address, address, ADDRESS_BYTES) == 0)
			return &set[i];
	}
	return NULL;
}

static int64_t debt_at(const struct source *source, int64_t now_ms)
{
	int64_t debt_ms = source->debt_ms - (now_ms - source->seen_ms);

	return debt_ms > 0 ? debt_ms : 0;
}

/* In the place of whoever owes least, and of those who came longest ago: an address that has to wait is not
 * let off by others that do nothing wrong. */
static struct source *find_or_take(
	struct attempts *attempts, const uint8_t address[ADDRESS_BYTES], int64_t now_ms)
{
	struct source *found = find(attempts, address);
	struct source *set = set_of(attempts, address);

	if (found)
		return found;
	found = set;
	for (size_t i = 1; i < WAYS; i++) {
		int64_t debt_ms = debt_at(&set[i], now_ms), least_ms = debt_at(found, now_ms);

		if (debt_ms < least_ms || (debt_ms == least_ms && set[i].seen_ms < found->seen_ms))
			found = &set[i];
	}
	*found = (struct source){0};
	memcpy(found->address, address, ADDRESS_BYTES);
	return found;
}

/* ---- judging ---- */

bool attempts_may(struct attempts *attempts, const char *origin, int64_t now_ms, unsigned *wait_s)
{
	uint8_t address[ADDRESS_BYTES];
	const struct source *source = read_address(origin, address) ? find(attempts, address) : NULL;
	int64_t most_ms = full_ms - (int64_t)ATTEMPTS_EACH_S * 1000;
	int64_t debt_ms = source ? debt_at(source, now_ms) : 0;

	if (debt_ms <= most_ms)
		return true;
	*wait_s = (unsigned)((debt_ms - most_ms + 999) / 1000);
	return false;
}

void attempts_note_failed(struct attempts *attempts, const char *origin, int64_t now_ms)
{
	uint8_t address[ADDRESS_BYTES];
	struct source *source;

	if (!read_address(origin, address))
		return;
	source = find_or_take(attempts, address, now_ms);
	source->debt_ms = debt_at(source, now_ms) + (int64_t)ATTEMPTS_EACH_S * 1000;
	source->seen_ms = now_ms;
}
