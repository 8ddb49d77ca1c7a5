/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection of the fast path, and what it is in the middle of:
 *
 *   state      what is going on                                      leads to
 *   ARRIVING   it is posted to its thread                            WAITING
 *   WAITING    nothing of a request is there                         HEAD ANSWERING CALLING, an end
 *   HEAD       a head has begun, and its end is not there            CALLING, an end
 *   ANSWERING  its thread writes, from memory or with sendfile       WAITING FULL LOADING FEEDING, CLOSED
 *   FULL       its socket takes no more for now                      ANSWERING, CLOSED
 *   LOADING    the sender pool sends what may wait for the disk      ANSWERING, CLOSED
 *   CALLING    suspended: a worker calls its handler                 ANSWERING, CLOSED
 *   FEEDING    suspended: the sender pool sends a body that grows    ANSWERING, CLOSED
 *
 * The ends: CLOSED; HANDED_ON to libmicrohttpd, before anything of the request was read; SEEN_OFF, refused or
 * given the last answer of a server that ends, and left to lingering. A connection with TLS comes from within
 * this machine, and nothing of this differs. It is its thread's own; while it is LOADING, the sender pool's.
 */
#ifndef SERVER_HTTP_FAST_FAST_CONNECTION_H
#define SERVER_HTTP_FAST_FAST_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"
#include "common/list.h"
#include "server/http/exchange/sender_pool.h"
#include "server/http/fast/hit.h"
#include "server/http/fast/wirehead.h"
#include "server/http/loop.h"
#include "server/http/sending.h"

/* One byte more than a head may have tells that it has more. */
enum { FAST_LOOK = WIRE_HEAD_MAX + 1 };

enum fast_state {
	FAST_ARRIVING,
	FAST_WAITING,
	FAST_HEAD,
	FAST_ANSWERING,
	FAST_FULL,
	FAST_LOADING,
	FAST_CALLING,
	FAST_FEEDING,
	FAST_CLOSED,
	FAST_HANDED_ON,
	FAST_SEEN_OFF,
	FAST_STATE_COUNT
};

struct direct;
struct fast_thread;

struct fast_connection {
	struct list_link post;
	struct sender_job job;
	struct fast_thread *thread;
	struct list_link link; /* in the thread's list, unless it is ARRIVING or LOADING */
	enum fast_state state;
	int fd;
	uint32_t watched;      /* what its thread waits for */
	struct direct *direct; /* the request that a handler answers, or NULL */
	bool unseen;           /* there is more than the last event's turn has looked at */
	bool counts;           /* among the running requests, as its answer has to wait */
	bool looks_past;   /* sees what comes behind the heads that were answered, which stay until later */
	size_t answered;   /* bytes of them */
	size_t looked;     /* HEAD: how much of it is there */
	enum sending sent; /* LOADING: how that has ended */
	enum err_code spoilt; /* why nothing more can be read; ERR_NONE: it can */
	int64_t active_s;
	struct hit send;
	socklen_t address_length;
	struct sockaddr_storage address;
};

/* Whether the table above has this arrow. */
bool fast_connection_may_enter(enum fast_state from, enum fast_state to);

/* In builds that check, a state that does not lead to the next aborts. */
void fast_connection_check(enum fast_state from, enum fast_state to);

static inline void fast_connection_enter(struct fast_connection *connection, enum fast_state state)
{
#ifdef LARDER_CHECKS
	fast_connection_check(connection->state, state);
#endif
	connection->state = state;
}

/* An answer is being made or sent, of which others than its thread know. */
static inline bool fast_connection_is_busy(const struct fast_connection *connection)
{
	return connection->state > FAST_HEAD;
}

static inline bool fast_connection_is_suspended(const struct fast_connection *connection)
{
	return connection->state == FAST_CALLING || connection->state == FAST_FEEDING;
}

/* Looks from here on start at the first byte there is. False: not with this system. */
bool fast_connection_look_past(const struct fast_connection *connection);

/* The heads that were answered leave the socket. scratch has FAST_LOOK bytes. */
void fast_connection_take_answered(struct fast_connection *connection, char *scratch);

/* One more is answered: it stays in the socket where looks can go past it, but not for ever. */
void fast_connection_note_answered(struct fast_connection *connection, size_t length, char *scratch);

/* Its end is to be a reset: what has no end must not look as if it had come to it. */
void fast_connection_cut(const struct fast_connection *connection);

#endif
