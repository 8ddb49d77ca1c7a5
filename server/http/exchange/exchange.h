/* SPDX-License-Identifier: Apache-2.0
 *
 * One request on its way through the front: what it asks, where it stands, what it answers; and the jobs that
 * workers do for it while its connection is suspended. */
#ifndef SERVER_HTTP_EXCHANGE_EXCHANGE_H
#define SERVER_HTTP_EXCHANGE_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/own.h"
#include "common/waiter.h"
#include "server/http/exchange/chunked.h"
#include "server/http/exchange/in_flight.h"
#include "server/http/exchange/pace.h"
#include "server/http/exchange/sender_pool.h"
#include "server/http/exchange/suspensions.h"
#include "server/http/reply.h"
#include "server/http/request.h"
#include "server/http/response_cache.h"
#include "server/http/workers.h"

struct chunked_upload;

/* What the sender pool does for it (see offload.h). Zeroed: not offloaded. */
struct offload {
	bool begun;
	struct sender_job job;
	struct chunked chunked; /* a feed's */
	int64_t offset;         /* where a file is to be warm from */
	enum sending ending;
};

/* Owned by the connection's thread (of the fast path or of libmicrohttpd), but by a worker while the
 * connection is suspended. */
struct exchange {
	struct in_flight *in_flight;
	uint64_t cache_ticket;
	char *target; /* as it was sent, where its reply might be kept */
	struct request request;
	struct err target_err; /* why the target is no good; ERR_NONE if it is */
	bool malformed; /* the head can be read in two ways: nothing more is read from this connection */
	const struct route *route;
	struct reply reply;
	int64_t received_bytes;
	struct pace pace;
	int64_t sent_bytes; /* of the answer's body, as if all of it went out */
	bool measured;      /* what its socket had taken before the answer is known (see delivery.h): */
	int64_t taken_until;

	/* Where it stands, as its connection's thread sees it. */
	bool running;    /* counts in in_flight->running */
	bool head_taken; /* matched, and the upload has begun */
	bool dropping;   /* what is left of the body is not wanted */
	bool unwanted;   /* the upload itself wants no more, and its handler says why */
	bool called;     /* the handler has been, or need not be */
	bool sent;
	bool unread;  /* answered before its body was read: what comes of that has to be seen off */
	bool ends;    /* nothing is read from the connection any more, as nobody has looked at what comes */
	bool is_last; /* its answer ends the connection */
	/* The same, as workers tell it. */
	bool upload_open;     /* begin has succeeded; abort it unless the handler is called */
	size_t awaited_bytes; /* a piece of so many is to find room; 0: it has */
	bool answered;        /* the reply is filled */
	bool slow;            /* its jobs are for disk workers, from here on */

	struct suspension suspension;
	_Atomic int hidden;   /* its socket, where that is not where libmicrohttpd has it; -1: it is */
	struct waiter waiter; /* for a later reply or a feed */
	struct offload offload;
	/* The front's: reads a body that comes in chunks. NULL: libmicrohttpd reads the body. */
	struct chunked_upload *chunked_upload;
	void (*found_room)(void *context);
	void *room_context;
	struct job job;
};

/* For a connection that is suspended and resumed by these. */
struct exchange *exchange_create(
	struct in_flight *in_flight, const struct suspension_ops *ops, void *connection);
void exchange_destroy(struct exchange *exchange);
AUTO_CLEANER(own_exchange, struct exchange *, exchange_destroy)
#define AUTO_EXCHANGE AUTO(own_exchange)

/* It begins with the target as it was sent. */
void exchange_set_target(struct exchange *exchange, const char *target);

/* Counts it among the running ones. */
void exchange_enter(struct exchange *exchange);

/* Finds the route and refuses what can be refused by the head alone; then the reply is filled and nothing is
 * called. */
void exchange_match(struct exchange *exchange);

/* Takes a piece of the body. *length becomes what is left of it: all, where the connection is suspended until
 * there is room for it. False: it comes too slowly, the client has ended in its middle, or goes on and on
 * with a body that is not wanted. */
bool exchange_pour(struct exchange *exchange, const void *bytes, size_t *length);

/* The same in parts, for who reads the body himself, on any thread: whether there is room for a piece, having
 * a disk worker make it (awaited_bytes), which then calls back; and taking it. came: what it took to bring
 * it. */
bool exchange_has_room(const struct exchange *exchange, size_t length);
void exchange_make_room(struct exchange *exchange, void (*found)(void *context), void *context);
bool exchange_take(struct exchange *exchange, const void *bytes, size_t length, size_t came);
/* … whether no more is wanted now, since what is done with it is behind; and waiting for that: calls back,
 * which may be at once. */
bool exchange_is_ahead(struct exchange *exchange);
void exchange_await(struct exchange *exchange, void (*found)(void *context), void *context);

/* A handler has streamed to a client of HTTP/1.0: closing in order would be the only end that it can see, and
 * no failure would show. Its reply is a problem instead. */
void exchange_refuse_stream(struct exchange *exchange);

/* Have workers begin the upload, or call the handler. True: the connection is suspended; when it is called
 * again the outcome is there. False: the outcome is there already. */
bool exchange_begin_upload(struct exchange *exchange);
bool exchange_call(struct exchange *exchange);

/* Fills the reply with this refusal; no handler will be called. */
void exchange_refuse(struct exchange *exchange, const struct err *err);

enum { EXCHANGE_DROPPED_BODY_MAX = 1 << 30 };

#endif
