/* SPDX-License-Identifier: Apache-2.0
 *
 * Where connections go that leave the fast path. All of these are called from any of its threads. */
#ifndef SERVER_HTTP_FAST_FAST_EXITS_H
#define SERVER_HTTP_FAST_FAST_EXITS_H

#include <sys/socket.h>

struct wire_heads;

struct fast_path_exits {
	/* Takes the connection over, as it came. head: its request's, for a look; it is still to be read,
	 * with all these. NULL both: there is none yet. */
	void (*hand_on)(void *context, int fd, const struct sockaddr_storage *address, socklen_t length,
		const char *head, const struct wire_heads *heads);
	/* Takes over a connection whose request was refused, shut down for writing. */
	void (*see_off)(void *context, int fd);
	/* A connection was closed here. */
	void (*closed)(void *context);
	void *context;
};

#endif
