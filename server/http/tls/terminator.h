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
#include "common/own.h"
#include "server/http/tls/terminator_settings.h"

struct terminator;

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
AUTO_CLEANER(own_terminator, struct terminator *, terminator_destroy)
#define AUTO_TERMINATOR AUTO(own_terminator)

#endif
