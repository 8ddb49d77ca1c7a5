/* SPDX-License-Identifier: Apache-2.0
 *
 * How many bytes others may be ahead of somebody who reads a stream and takes his time for it: about as many
 * as he gets done in a second, by what he has got done lately. */
#ifndef SERVER_STORE_LEAD_H
#define SERVER_STORE_LEAD_H

#include <stdint.h>

/* What holds before he has done any; and the bounds of it. */
enum { LEAD_FIRST_BYTES = 8 << 20, LEAD_MIN_BYTES = 1 << 20, LEAD_MAX_BYTES = 64 << 20 };

/* All zero to begin with. */
struct lead {
	int64_t bytes;    /* done in */
	int64_t spent_us; /* … so much time */
};

/* So many bytes took him so long. What he waits for does not count. */
void lead_note(struct lead *lead, int64_t bytes, int64_t spent_us);

int64_t lead_bytes(const struct lead *lead);

#endif
