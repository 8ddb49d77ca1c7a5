/* SPDX-License-Identifier: Apache-2.0
 *
 * What proxies tell of the request that came to them: X-Forwarded-For and its kin, or Forwarded (RFC 7239).
 * Each hop adds to the end, and what a stranger has written stands before it. */
#ifndef SERVER_HTTP_FORWARDED_H
#define SERVER_HTTP_FORWARDED_H

#include <stdbool.h>

/* Which of the two the proxies write; the other one is the stranger's, whoever passes it on. */
enum forwarded_kind { FORWARDED_X, FORWARDED_RFC7239 };

/* "" where nothing is told, or nothing that can be read. */
struct forwarded {
	char client[64];
	char scheme[8]; /* "http" or "https" */
	char host[264]; /* as it was told: of characters that no check has looked at, but none are blanks or
			   controls */
};

/* Reads the list of hops in a header that one of these proxies (networks) has sent, from its end: the client
 * is the first that is not one of them; where all are, the first of the list; of a longer list than 32 the
 * 32nd. Scheme and host (Forwarded only) are those of the client's hop. value NULL: nothing is told. */
void forwarded_read(
	const char *value, enum forwarded_kind kind, const char *trusted_proxies, struct forwarded *out);

/* The last element of X-Forwarded-Proto and of X-Forwarded-Host; NULL: not there. */
void forwarded_add_x(const char *scheme, const char *host, struct forwarded *out);

#endif
