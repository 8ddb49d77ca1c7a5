/* SPDX-License-Identifier: Apache-2.0
 *
 * The last day by the half-hour: how much was asked for and moved. In memory, of a fixed size, from the
 * metrics; begins anew with the process. May be used by any thread. */
#ifndef SERVER_REGISTRY_TRAFFIC_H
#define SERVER_REGISTRY_TRAFFIC_H

#include <stdint.h>

#include "common/own.h"

enum { TRAFFIC_SLOTS = 48, TRAFFIC_SLOT_S = 1800 };

enum traffic_kind {
	TRAFFIC_HITS,
	TRAFFIC_MISSES, /* those that joined a running fill with them */
	TRAFFIC_SENT_BYTES,
	TRAFFIC_UPSTREAM_BYTES,
	TRAFFIC_KIND_COUNT
};
const char *traffic_kind_name(enum traffic_kind kind); /* "hits" … */

struct traffic_day {
	int64_t slots[TRAFFIC_KIND_COUNT][TRAFFIC_SLOTS]; /* oldest first; the last goes on */
};

struct traffic;

/* Counts from now on. destroy takes NULL. */
struct traffic *traffic_create(int64_t now_ms);
void traffic_destroy(struct traffic *traffic);
AUTO_CLEANER(own_traffic, struct traffic *, traffic_destroy)
#define AUTO_TRAFFIC AUTO(own_traffic)

/* Puts what the metrics have grown by since the last look into the slot of this moment (clock_monotonic_ms):
 * to be called a few times in each. Takes moments. */
void traffic_note(struct traffic *traffic, int64_t now_ms);

/* Notes, and tells. */
void traffic_read(struct traffic *traffic, int64_t now_ms, struct traffic_day *out);

#endif
