/* SPDX-License-Identifier: Apache-2.0
 *
 * How TLS is to be ended, and what becomes of connections. */
#ifndef SERVER_HTTP_TLS_TERMINATOR_SETTINGS_H
#define SERVER_HTTP_TLS_TERMINATOR_SETTINGS_H

#include <stdbool.h>
#include <sys/socket.h>

/* All from any of its threads. */
struct terminator_exits {
	/* Gives a plain connection away, non-blocking and close-on-exec, with the address of its client. */
	void (*deliver)(void *context, int fd, const struct sockaddr_storage *address, socklen_t length);
	/* Takes over the connection of a client that was refused without TLS, shut down for writing. */
	void (*see_off)(void *context, int fd);
	/* A connection that was taken counts no more: it failed, or its client was told its end. */
	void (*closed)(void *context);
	void *context;
};

struct terminator_settings {
	const char *certificate; /* see credentials_open */
	const char *key;
	unsigned threads;
	unsigned idle_timeout_s; /* for a client that says nothing, or takes nothing of what is left */
	unsigned
		hello_timeout_s; /* from the first byte to the end of the handshake; 0: as long as it takes */
	unsigned leaving_max;    /* clients that were told the end and have not ended; more are dropped */
};

#endif
