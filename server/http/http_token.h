/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of which HTTP makes methods and the names of fields (RFC 9110 section 5.6.2, "token"). */
#ifndef SERVER_HTTP_HTTP_TOKEN_H
#define SERVER_HTTP_HTTP_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

extern const bool http_token_bytes[256];

static inline bool http_token_has(char byte)
{
	return http_token_bytes[(unsigned char)byte];
}

/* How many such bytes a text begins with. */
static inline size_t http_token_length(const char *text, size_t length)
{
	size_t taken = 0;

	while (taken < length && http_token_has(text[taken]))
		taken++;
	return taken;
}

#endif
