/* SPDX-License-Identifier: Apache-2.0
 *
 * Sees off connections that were answered before they had sent all of their request: reads and drops what
 * still comes, for a while. What is closed with bytes unread is reset, and a reset takes the answer away from
 * whoever has not read it yet, such as a proxy that is still sending. */
#ifndef SERVER_HTTP_FAST_FAREWELL_H
#define SERVER_HTTP_FAST_FAREWELL_H

#include <stdbool.h>

#include "common/err.h"

/* A client that is not done by then never will be. */
enum { FAREWELL_S = 60, FAREWELL_QUIET_S = 5, FAREWELL_BYTES_MAX = 1 << 30 };

struct farewell;

/* closed is called for each connection at its end, from the farewell's own thread. */
bool farewell_open(void (*closed)(void *context), void *context, struct farewell **out, struct err *err);

/* Takes over a non-blocking socket that is, or is about to be, shut down for writing. From any thread. False:
 * it is closing and the socket is still the caller's. */
bool farewell_take(struct farewell *farewell, int fd);

/* Closes all that are left; then nothing is taken, until farewell_destroy. Both take NULL. */
void farewell_stop(struct farewell *farewell);
void farewell_destroy(struct farewell *farewell);

#endif
