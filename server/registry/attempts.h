/* SPDX-License-Identifier: Apache-2.0
 *
 * How often an address has presented a token that is none: after some it has to wait, and what it presents
 * meanwhile is not looked at, unless that token was good from there before. Of IPv6 a network (/64) counts as
 * one address. A table of a fixed size, which whoever comes from many addresses can only make forget. Takes
 * no lock: its owner does. */
#ifndef SERVER_REGISTRY_ATTEMPTS_H
#define SERVER_REGISTRY_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/own.h"

/* So many may fail at once; one more each so many seconds. */
enum { ATTEMPTS_AT_ONCE = 40, ATTEMPTS_EACH_S = 2 };

struct attempts;

/* destroy takes NULL. */
struct attempts *attempts_create(void);
void attempts_destroy(struct attempts *attempts);
AUTO_CLEANER(own_attempts, struct attempts *, attempts_destroy)
#define AUTO_ATTEMPTS AUTO(own_attempts)

/* Whether a secret with this hash is looked at; else *wait_s is how long its sender should wait. origin: a
 * numeric address; NULL: none, whose attempts are not counted. */
bool attempts_may(struct attempts *attempts, const char *origin, const struct digest *hash, int64_t now_ms,
	unsigned *wait_s);

/* What came of it. */
void attempts_note(
	struct attempts *attempts, const char *origin, const struct digest *hash, bool good, int64_t now_ms);

#endif
