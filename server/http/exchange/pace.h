/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast the body of a request comes, by the time for which the client is waited for. */
#ifndef SERVER_HTTP_EXCHANGE_PACE_H
#define SERVER_HTTP_EXCHANGE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero to begin with. */
struct pace {
	int64_t ready_us; /* since when it is waited for; 0: it is not */
	int64_t waited_us;
	int64_t bytes;
};

/* So many bytes came. False where fewer than least a second did, over a while. */
bool pace_keeps(struct pace *pace, size_t length, int64_t least);

#endif
