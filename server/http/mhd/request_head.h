/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the heads that libmicrohttpd has parsed. (plainhead reads those that never reach it.) */
#ifndef SERVER_HTTP_MHD_REQUEST_HEAD_H
#define SERVER_HTTP_MHD_REQUEST_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "server/http/request.h"

struct MHD_Connection;

/* Fills what the head tells of the request, but for its target. */
void request_head_read(
	struct request *request, struct MHD_Connection *connection, const char *method, const char *version);

/* The client's address as text; out stays as it is where there is none. */
void request_head_write_client(struct MHD_Connection *connection, char *out, size_t size);

/* ERR_BAD_REQUEST for a head without a Host that needs one, or that two servers could read in two ways (RFC
 * 9112 sections 3.2, 6.1, 11.2). */
bool request_head_check_framing(struct MHD_Connection *connection, const char *version, struct err *err);

/* Whether a field asks for something else than the whole, or for something that a kept reply knows nothing
 * of. */
bool request_head_is_special(struct MHD_Connection *connection);

#endif
