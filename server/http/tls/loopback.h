/* SPDX-License-Identifier: Apache-2.0
 *
 * Connected pairs of TCP sockets within this process, non-blocking: what knows connections by what their
 * kernel tells of them (TCP_INFO, looks ahead, resets) knows the far end of a pair as well. */
#ifndef SERVER_HTTP_TLS_LOOPBACK_H
#define SERVER_HTTP_TLS_LOOPBACK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct loopback {
	int listen_fd;
	struct sockaddr_in address;
};

bool loopback_open(struct loopback *loopback, struct err *err);

/* Makes a near end, whose port tells its far end apart; it connects by itself. -1: errno has the reason. */
int loopback_connect(const struct loopback *loopback, uint16_t *port);

/* A connection that has come and is alive, with the port that it comes from: the far end of whoever has
 * connected from there, or a stranger's. -1: there is none for now. */
int loopback_accept(const struct loopback *loopback, uint16_t *port);

/* Takes one that is not open (listen_fd -1). */
void loopback_close(struct loopback *loopback);

#endif
