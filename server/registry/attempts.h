/* SPDX-License-Identifier: Apache-2.0
 *
 * How often an address has presented a token that is none: after some it has to wait before more of them are
 * looked for. It is no matter to a token that is valid. Of IPv6 a network (/64) counts as one address. A
 * table of a fixed size, which whoever comes from many addresses can only make forget. Takes no lock: its
 * owner does. */
#ifndef SERVER_REGISTRY_ATTEMPTS_H
#define SERVER_REGISTRY_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/own.h"

/* So many may fail at once; one more each so many seconds. */
enum { ATTEMPTS_AT_ONCE = 40, ATTEMPTS_EACH_S = 2 };

struct attempts;

/* destroy takes NULL. */
struct attempts *attempts_create(void);
void attempts_destroy(struct attempts *attempts);
AUTO_CLEANER(own_attempts, struct attempts *, attempts_destroy)
#define AUTO_ATTEMPTS AUTO(own_attempts)

/* Whether one more that is none is told so; else *wait_s is how long its sender should wait. origin: a
 * numeric address; NULL: none, whose attempts are not counted. */
bool attempts_may(struct attempts *attempts, const char *origin, int64_t now_ms, unsigned *wait_s);

/* One that was let through was none. */
void attempts_note_failed(struct attempts *attempts, const char *origin, int64_t now_ms);

#endif
