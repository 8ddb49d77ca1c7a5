/* SPDX-License-Identifier: Apache-2.0
 *
 * Ends TLS in front of everything else: loop threads that shake hands with those who connect, and then stand
 * between each and a plain connection within this process, which is like one that a client without TLS has
 * made. */
#ifndef SERVER_HTTP_TLS_TERMINATOR_H
#define SERVER_HTTP_TLS_TERMINATOR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "common/err.h"
#include "server/http/tls/credentials.h"

struct terminator;

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

bool terminator_open(const struct terminator_settings *settings, const struct terminator_exits *exits,
	struct terminator **out, struct err *err);

/* Takes a non-blocking connection. From any thread. False: it is stopping, and the connection still the
 * caller's. */
bool terminator_take(
	struct terminator *terminator, int fd, const struct sockaddr_storage *address, socklen_t length);

/* Others wait for room: ends the handshake that goes on for the longest time, if for 2 s. From any thread.
 * False: there is none. */
bool terminator_make_room(struct terminator *terminator);

/* When all plain connections are closed: passes on what is left of their answers, for 3 s at most, and ends.
 * Then nothing is taken, until terminator_destroy. Both take NULL. */
void terminator_stop(struct terminator *terminator);
void terminator_destroy(struct terminator *terminator);

#endif
