/* SPDX-License-Identifier: Apache-2.0
 *
 * A request that the fast path has answered by its handler, without libmicrohttpd: one that brings no body.
 * Its connection is suspended while a worker calls the handler, and while the sender pool sends a feed. */
#ifndef SERVER_HTTP_FAST_DIRECT_H
#define SERVER_HTTP_FAST_DIRECT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "server/http/exchange/in_flight.h"
#include "server/http/exchange/suspensions.h"
#include "server/http/fast/hit.h"
#include "server/http/fast/wirehead.h"

struct direct;

/* Whether a request with this head can be answered so. */
bool direct_suits(const struct wire_head *head);

/* Copies the head, and counts it among the running requests. Its connection is suspended and
 * resumed by ops. */
struct direct *direct_create(struct in_flight *in_flight, const char *bytes, const struct wire_head *head,
	const struct sockaddr *client, const struct suspension_ops *ops, void *connection);

/* The client has sent more along with it: an ending server answers that, too, before it closes. */
void direct_note_followed(struct direct *direct);

/* Has it matched, and its handler called. True: the connection is suspended until that has come to an end. */
bool direct_call(struct direct *direct);

/* Begins to send the answer (hit_first goes on). False: there is none, as the server closes or the client
 * is gone. */
bool direct_answer(struct direct *direct, struct hit *out);

/* When the head is sent: whether a feed is to follow. direct_feed has it sent, as offload_feed does. */
bool direct_is_to_feed(const struct direct *direct);
bool direct_feed(struct direct *direct, int socket, bool *arrived);

/* Whether a feed was sent, or cut; then how that ended, and the last chunk is to be sent by hit_next. */
bool direct_has_fed(const struct direct *direct);
enum sending direct_end_feed(struct direct *direct, struct hit *out);

/* Whether its connection is to be reset when the answer has ended so, as the client would take it for the
 * whole. */
bool direct_is_cut(const struct direct *direct, enum sending ending);

/* The end: counts and logs it. Takes NULL. See hit_finish, which follows. */
void direct_finish(struct direct *direct, const struct hit *hit, enum sending ending, int64_t unconfirmed);

#endif
