/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns a reply into what libmicrohttpd sends: the body's five kinds, and the headers that every answer
 * carries. */
#ifndef SERVER_HTTP_MHD_RESPONSES_H
#define SERVER_HTTP_MHD_RESPONSES_H

#include "server/http/mhd/exchange.h"

struct MHD_Response;

/* A response for the exchange's reply; never NULL. A feed stays the exchange's, bytes and descriptors go to
 * the response. */
struct MHD_Response *response_create(struct exchange *exchange);

/* Whether the answer has no body, whatever length it tells: an answer to HEAD, or a 304. */
bool response_is_bodiless(const struct exchange *exchange);

/* The phrase that goes with a status. */
const char *response_reason(int status);

/* Its header fields as they stand in a head, each with its end of line, Content-Type first (*type_length
 * bytes of it); without Date, Connection and Content-Length. The caller frees. */
char *response_fields(const struct reply *reply, size_t *length, size_t *type_length);

/* When its answer is queued, and when it was not sent to its end: brings exchange->sent_bytes down to what
 * the client's side has confirmed. */
void response_measure(struct exchange *exchange);
void response_count_sent(struct exchange *exchange);

/* Lets go of it; who is being sent it keeps it alive. Takes NULL. */
void response_destroy(struct MHD_Response *response);

#endif
