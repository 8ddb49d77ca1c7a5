/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the heads that libmicrohttpd has parsed. (Those that never reach it are read by plainhead
 * and wirefields.) */
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

/* ERR_BAD_REQUEST for a head without a Host that needs one, or that two servers could read in two ways (RFC
 * 9112 sections 3.2, 6.1, 11.2). */
bool request_head_check_framing(struct MHD_Connection *connection, const char *version, struct err *err);

#endif
