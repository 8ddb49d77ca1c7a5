/* SPDX-License-Identifier: Apache-2.0
 *
 * Has the sender pool do for an exchange what would have to wait, while its connection is suspended: send its
 * feed (libmicrohttpd sends what comes before, and the last chunk), or bring the next piece of its file into
 * memory. */
#ifndef SERVER_HTTP_MHD_HAUL_H
#define SERVER_HTTP_MHD_HAUL_H

#include <stdbool.h>

#include "server/http/fast/chunked.h"
#include "server/http/fast/freight.h"

struct exchange;

enum { HAUL_WARM_BYTES = 2 << 20 };

/* Zeroed: not hauled. */
struct haul {
	bool begun;
	struct cargo cargo;
	struct chunked chunked; /* a feed's */
	int64_t offset;         /* where a file is to be warm from */
	enum sending ending;
};

/* On the connection's thread, whose socket this is; a feed's when the head has been sent. False: it cannot be
 * hauled, or the server closes. True: the connection sleeps unless *arrived; once it has, haul.ending tells
 * how. */
bool haul_feed(struct exchange *exchange, int socket, bool *arrived);
bool haul_warmth(struct exchange *exchange, int socket, int64_t offset, bool *arrived);

#endif
