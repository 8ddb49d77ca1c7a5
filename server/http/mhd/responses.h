/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns a reply into what libmicrohttpd sends: the body's five kinds, and its header fields. */
#ifndef SERVER_HTTP_MHD_RESPONSES_H
#define SERVER_HTTP_MHD_RESPONSES_H

#include "server/http/exchange/exchange.h"

struct MHD_Response;

/* A response for the exchange's reply; never NULL. A feed stays the exchange's, bytes and descriptors go to
 * the response. */
struct MHD_Response *response_create(struct exchange *exchange);

/* When its answer is queued, and when it was not sent to its end: brings exchange->sent_bytes down to what
 * the client's side has confirmed. */
void response_measure(struct exchange *exchange);
void response_count_sent(struct exchange *exchange);

/* Lets go of it; who is being sent it keeps it alive. Takes NULL. */
void response_destroy(struct MHD_Response *response);

#endif
