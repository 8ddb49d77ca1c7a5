/* SPDX-License-Identifier: Apache-2.0
 *
 * The socket that the front listens on. */
#ifndef SERVER_HTTP_LISTENER_H
#define SERVER_HTTP_LISTENER_H

#include <stdbool.h>

#include "common/err.h"

/* Binds and listens at "127.0.0.1:8080", "[::]:80", "localhost:0"; the caller owns *out_fd. */
bool listener_open(const char *listen, int *out_fd, struct err *err);

/* "127.0.0.1:8080" or "[::1]:8080": where the socket really is, as the part of a URL after "http://". */
struct listener_address {
	char text[80];
};
struct listener_address listener_address(int fd);

#endif
