/* SPDX-License-Identifier: Apache-2.0
 *
 * Has the freight send an exchange's feed while its connection sleeps: libmicrohttpd sends what comes before
 * and the last chunk. */
#ifndef SERVER_HTTP_HAUL_H
#define SERVER_HTTP_HAUL_H

#include <stdbool.h>

#include "server/http/chunked.h"
#include "server/http/freight.h"

struct exchange;

/* Zeroed: not hauled. */
struct haul {
	bool begun;
	struct cargo cargo;
	struct chunked chunked;
	enum sending ending;
};

/* On the connection's thread, when the head has been sent to this socket. False: the feed cannot be hauled,
 * or the server closes. True: the connection sleeps unless *arrived; once it has, haul.ending tells how. */
bool haul_begin(struct exchange *exchange, int socket, bool *arrived);

#endif
