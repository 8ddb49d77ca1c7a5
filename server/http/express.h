/* SPDX-License-Identifier: Apache-2.0
 *
 * The express lanes: epoll threads that new connections come to first. A plain GET or HEAD whose reply the
 * hot table has is answered here with as few system calls as there can be; the first request that is anything
 * else takes its connection, unread, over to libmicrohttpd for good. */
#ifndef SERVER_HTTP_EXPRESS_H
#define SERVER_HTTP_EXPRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "common/err.h"
#include "server/http/traffic.h"

struct express;

/* Both from any lane's thread. */
struct express_exits {
	/* Takes the connection over, as it came. head: what its request begins with ("" if it has none yet),
	 * for a look; it is still to be read. */
	void (*hand_on)(void *context, int fd, const struct sockaddr_storage *address, socklen_t length,
		const char *head);
	/* A connection was closed here. */
	void (*closed)(void *context);
	void *context;
};

/* As many lanes as the traffic's settings have threads; its hot table must not be NULL. */
bool express_open(
	struct traffic *traffic, const struct express_exits *exits, struct express **out, struct err *err);

/* Takes a non-blocking connection; from one thread only. */
void express_take(struct express *express, int fd, const struct sockaddr_storage *address, socklen_t length);

/* From now on nothing is begun here: idle connections are handed on, and so are the others once they have
 * what they are being sent. */
void express_end(struct express *express);

/* Nothing comes in any more. Closes what is still there; takes NULL. */
void express_close(struct express *express);

#endif
