/* SPDX-License-Identifier: Apache-2.0
 *
 * Sees off connections that were answered before they had sent all of their request: reads and drops what
 * still comes, for a while. What is closed with bytes unread is reset, and a reset takes the answer away from
 * whoever has not read it yet, such as a proxy that is still sending. */
#ifndef SERVER_HTTP_FAST_LINGERING_H
#define SERVER_HTTP_FAST_LINGERING_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"

/* A client that is not done by then never will be. */
enum { LINGERING_S = 60, LINGERING_QUIET_S = 5, LINGERING_BYTES_MAX = 1 << 30 };

struct lingering;

/* closed is called for each connection at its end, from the lingering's own thread. */
bool lingering_open(void (*closed)(void *context), void *context, struct lingering **out, struct err *err);

/* Takes over a non-blocking socket that is, or is about to be, shut down for writing. From any thread. False:
 * it is closing and the socket is still the caller's. */
bool lingering_take(struct lingering *lingering, int fd);

/* Closes all that are left; then nothing is taken, until lingering_destroy. Both take NULL. */
void lingering_stop(struct lingering *lingering);
void lingering_destroy(struct lingering *lingering);
AUTO_CLEANER(own_lingering, struct lingering *, lingering_destroy)
#define AUTO_LINGERING AUTO(own_lingering)

#endif
