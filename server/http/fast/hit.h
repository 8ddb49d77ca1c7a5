/* SPDX-License-Identifier: Apache-2.0
 *
 * Gives a reply of the response cache to a socket, in turns: the whole, a part (Range), its head alone, or
 * the word that it has not changed; counts and logs it. Or a reply that its exchange has just made. */
#ifndef SERVER_HTTP_FAST_HIT_H
#define SERVER_HTTP_FAST_HIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "server/http/fast/plainhead.h"
#include "server/http/front_settings.h"
#include "server/http/response_cache.h"
#include "server/http/sending.h"

enum { HIT_MAPPED_MAX = 16 << 10 };

/* What a thread needs to make answers; zeroed, then given a date. */
struct hit_desk {
	char date[64];
	size_t date_length;
	char out[CACHED_HEAD_MAX];
};
void hit_set_date(struct hit_desk *desk, int64_t now_s);

/* One answer; zeroed: none. */
struct hit {
	struct cached_reply *reply;
	enum method method;
	int status;
	int64_t started_us;
	int64_t offset; /* of the body: what comes next, and how much is left */
	int64_t left;
	int64_t length;
	char *head; /* what the socket has not taken of it yet, or NULL */
	size_t head_length;
	size_t head_sent;
	int64_t at_hand_until; /* the body is in memory to here, as far as was looked */
	bool patient;          /* may wait for the disk */
	bool fresh;            /* its exchange counts and logs it */
	bool closes;           /* the client wants no more on this connection */
	char *client;          /* whom a trusted proxy has told of, where it is to be logged; or NULL */
	int64_t measured_us;   /* since when its pace is measured; 0: not yet, -1: no more */
};

/* Finds the reply for this request. False: there is none, or the answer is a refusal; nothing is begun. */
bool hit_begin(struct hit *hit, struct response_cache *cache, const struct plain_head *head);

/* Where it is logged: its client is the one that this head tells of, if the connection is a trusted proxy's.
 */
void hit_note_client(struct hit *hit, const struct plain_head *head, const struct sockaddr *peer,
	const struct front_settings *settings);

/* Begins with a reply as its handler made it, of which an offset of its file, if it is one, is the first
 * byte; takes over the hold. */
void hit_begin_fresh(
	struct hit *hit, struct cached_reply *reply, enum method method, int64_t offset, bool closes);

/* Gives only a part of what was begun: a 206. */
void hit_narrow(struct hit *hit, int status, int64_t offset, int64_t length);

/* Sends as much as the socket takes. SENDING_FULL: go on with hit_next when it takes more. SENDING_COLD:
 * set patient, where it is no harm to wait for the disk, and go on. */
enum sending hit_first(struct hit *hit, struct hit_desk *desk, int fd);
enum sending hit_next(struct hit *hit, int fd);

/* Behind a feed that others have sent. */
void hit_add_last_chunk(struct hit *hit);

/* How much of the body the socket took, without what was never confirmed. */
int64_t hit_sent_bytes(const struct hit *hit, int64_t unconfirmed);

/* The end. Does nothing where none was begun. Where it is not SENDING_DONE, so many bytes that the socket
 * took were never confirmed (see delivery.h), and count as not sent. */
void hit_finish(struct hit *hit, const struct sockaddr *client, enum sending ending, int64_t unconfirmed);

#endif
