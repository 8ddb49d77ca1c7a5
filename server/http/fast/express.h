/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast path ("express lanes"): epoll threads that new connections come to first. They answer a plain GET
 * or HEAD whose reply is in the response cache, with few system calls. They judge every other head once all
 * of it is there: what can be read in two ways is refused here, all else goes to libmicrohttpd with its
 * connection, unread, until it is answered. */
#ifndef SERVER_HTTP_FAST_EXPRESS_H
#define SERVER_HTTP_FAST_EXPRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "common/err.h"
#include "server/http/fast/wirehead.h"
#include "server/http/mhd/traffic.h"

struct express;

/* Both from any lane's thread. */
struct express_exits {
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

/* As many lanes as the traffic's settings have threads; its hot table must not be NULL. */
bool express_open(
	struct traffic *traffic, const struct express_exits *exits, struct express **out, struct err *err);

/* Takes a non-blocking connection, new or back from where it was handed on to; from any thread. spoilt: what
 * follows the requests that were answered is no good; or ERR_NONE. False: the express is stopped, and the
 * connection still the caller's. */
bool express_take(struct express *express, int fd, const struct sockaddr_storage *address, socklen_t length,
	enum err_code spoilt);

/* Others wait for room: ends the connection that has been idle longest, if it has been so for 2 s. From any
 * thread.
 */
void express_make_room(struct express *express);

/* From now on nothing is begun here: idle connections are handed on, and so are the others once they have
 * what they are being sent. */
void express_end(struct express *express);

/* Closes what is still there; then nothing is taken, until express_destroy. Both take NULL. */
void express_stop(struct express *express);
void express_destroy(struct express *express);

#endif
