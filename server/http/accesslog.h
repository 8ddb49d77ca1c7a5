/* SPDX-License-Identifier: Apache-2.0
 *
 * One line of the log for each request that was answered. */
#ifndef SERVER_HTTP_ACCESSLOG_H
#define SERVER_HTTP_ACCESSLOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"
#include "server/http/request.h"

/* A string of NULL or "" is left out. */
struct accesslog_line {
	const char *method;
	const char *path; /* without secrets */
	int status;       /* 0: nothing was answered */
	int64_t sent_bytes;
	int64_t started_us; /* monotonic */
	const char *client;
	const char *who;
	const char *note;
	enum err_code problem;
	const char *ending; /* NULL: in order */
};

bool accesslog_is_on(void);
void accesslog_write(const struct accesslog_line *access);

/* The address as text, of IPv4 as IPv4 also where it came to a socket of IPv6; out stays as it is for other
 * families than IPv4 and IPv6. */
void accesslog_client(const struct sockaddr *address, char *out, size_t size);

#endif
