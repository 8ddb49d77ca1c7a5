/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes connections from the listening socket, on a thread of its own, and hands them on; at most so many at
 * a time, the others wait in the kernel's queue. What becomes of a connection is the front's. libmicrohttpd
 * accepts by itself too, but its way to stop accepting (MHD_quiesce_daemon) aborts the process where a busy
 * thread of its own does the same at the same moment. */
#ifndef SERVER_HTTP_ACCEPTOR_H
#define SERVER_HTTP_ACCEPTOR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "common/err.h"
#include "common/own.h"

struct acceptor;

/* Both on the acceptor's thread. */
struct acceptor_exits {
	/* Gives a connection away: non-blocking, close-on-exec. */
	void (*deliver)(void *context, int fd, const struct sockaddr_storage *address, socklen_t length);
	/* Somebody waits, and there are as many connections as there may be. */
	void (*crowded)(void *context);
	void *context;
};

/* Takes over listen_fd (see listener_open), also where it fails. Nothing is accepted before acceptor_start.
 */
bool acceptor_open(int listen_fd, unsigned max_connections, const struct acceptor_exits *exits,
	struct acceptor **out, struct err *err);
bool acceptor_start(struct acceptor *acceptor, struct err *err);

/* A delivered connection has ended. From any thread, also after acceptor_refuse. */
void acceptor_release(struct acceptor *acceptor);

/* Takes no more; when it returns, the socket is closed and whoever connects is refused. */
void acceptor_refuse(struct acceptor *acceptor);

/* Takes NULL. */
void acceptor_close(struct acceptor *acceptor);
AUTO_CLEANER(own_acceptor, struct acceptor *, acceptor_close)
#define AUTO_ACCEPTOR AUTO(own_acceptor)

#endif
