/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast path: epoll threads that new connections come to first. They answer a plain GET or HEAD whose
 * reply is in the response cache, with few system calls. They judge every other head once all of it is
 * there: what can be read in two ways is refused here. A request without a body is answered from here once
 * its handler was called. One with a body goes to libmicrohttpd with its connection, unread, until it is
 * answered. */
#ifndef SERVER_HTTP_FAST_FAST_PATH_H
#define SERVER_HTTP_FAST_FAST_PATH_H

#include <stdbool.h>
#include <sys/socket.h>

#include "common/err.h"
#include "common/own.h"
#include "server/http/exchange/in_flight.h"
#include "server/http/fast/fast_exits.h"

struct fast_path;

/* With as many threads as the settings say; their response cache must not be NULL. */
bool fast_path_open(struct in_flight *in_flight, const struct fast_path_exits *exits, struct fast_path **out,
	struct err *err);

/* Takes a non-blocking connection, new or back from where it was handed on to; from any thread. spoilt: what
 * follows the requests that were answered is no good; or ERR_NONE. False: the fast path is stopped, and the
 * connection still the caller's. */
bool fast_path_take(struct fast_path *fast_path, int fd, const struct sockaddr_storage *address,
	socklen_t length, enum err_code spoilt);

/* Others wait for room: ends the connection that has been idle longest, if it has been so for 2 s. From any
 * thread.
 */
void fast_path_make_room(struct fast_path *fast_path);

/* From now on nothing is begun here: idle connections are handed on, and so are the others once they have
 * what they are being sent. Takes NULL. */
void fast_path_end(struct fast_path *fast_path);

/* Closes what is still there; then nothing is taken, until fast_path_destroy. Both take NULL. */
void fast_path_stop(struct fast_path *fast_path);
void fast_path_destroy(struct fast_path *fast_path);
AUTO_CLEANER(own_fast_path, struct fast_path *, fast_path_destroy)
#define AUTO_FAST_PATH AUTO(own_fast_path)

#endif
