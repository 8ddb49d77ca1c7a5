/* SPDX-License-Identifier: Apache-2.0
 *
 * Refuses what libmicrohttpd never gets to see: one answer, straight to the socket, the last on its
 * connection. */
#ifndef SERVER_HTTP_FAST_REFUSAL_H
#define SERVER_HTTP_FAST_REFUSAL_H

#include <stdbool.h>
#include <sys/socket.h>

#include "common/err.h"

/* Sends it to a non-blocking socket that has nothing left to send, which is shut down for writing then;
 * counts and logs it. date: the field, with its end of line; is_head: the answer has no body. */
void refusal_send(
	int fd, const struct sockaddr *client, const char *date, bool is_head, const struct err *err);

#endif
