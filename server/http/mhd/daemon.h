/* SPDX-License-Identifier: Apache-2.0
 *
 * A libmicrohttpd daemon the way this front needs it: fed with connections by others, epoll threads, little
 * memory a connection, targets as they were sent. What requests become is its hooks'. */
#ifndef SERVER_HTTP_MHD_DAEMON_H
#define SERVER_HTTP_MHD_DAEMON_H

#include <microhttpd.h>
#include <stdbool.h>

#include "common/err.h"
#include "server/http/front_settings.h"

/* libmicrohttpd's callbacks, each called with the context, on one of the daemon's threads. */
struct daemon_hooks {
	void *(*target)(void *context, const char *target, struct MHD_Connection *connection);
	MHD_AccessHandlerCallback access;
	MHD_RequestCompletedCallback completed;
	MHD_NotifyConnectionCallback connection;
	void *context;
};

/* Zeroed: not started. */
struct daemon {
	struct MHD_Daemon *threads;
};

/* Starts its threads; each connection is given that many bytes. */
bool daemon_start(struct daemon *daemon, const struct front_settings *settings, size_t connection_memory,
	const struct daemon_hooks *hooks, struct err *err);

/* Gives it a connection that is non-blocking; the address is kept as a whole. False: the connection is
 * closed. */
bool daemon_take(struct daemon *daemon, int fd, const struct sockaddr_storage *address);

/* Ends its threads and connections. */
void daemon_stop(struct daemon *daemon);

#endif
