/* SPDX-License-Identifier: Apache-2.0
 *
 * Has the sender pool do for an exchange what would have to wait, while its connection is suspended: send its
 * feed (the fast path or libmicrohttpd sends what comes before, and the last chunk), or bring the next piece
 * of its file into memory. */
#ifndef SERVER_HTTP_EXCHANGE_OFFLOAD_H
#define SERVER_HTTP_EXCHANGE_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

struct exchange;

enum { OFFLOAD_WARM_BYTES = 2 << 20 };

/* On the connection's thread, whose socket this is; a feed's when the head has been sent. False: it cannot be
 * offloaded, or the server closes. True: the connection is suspended unless *arrived; once it has,
 * offload.ending tells how. */
bool offload_feed(struct exchange *exchange, int socket, bool *arrived);
bool offload_warming(struct exchange *exchange, int socket, int64_t offset, bool *arrived);

#endif
