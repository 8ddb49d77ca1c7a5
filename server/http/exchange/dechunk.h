/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes the chunks off a body that comes in them (RFC 9112 7.1), to the letter: what two servers could read
 * in two ways is no body. Extensions and trailers are read, and dropped. */
#ifndef SERVER_HTTP_EXCHANGE_DECHUNK_H
#define SERVER_HTTP_EXCHANGE_DECHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum {
	DECHUNK_SIZE_LINE_MAX = 256, /* a chunk's size with its extensions */
	DECHUNK_LINE_MAX = 1024,     /* a trailer field */
	DECHUNK_TRAILERS_MAX = 64,
	DECHUNK_TRAILER_BYTES_MAX = 8 << 10
};

/* All zero to begin with. */
struct dechunk {
	enum { DECHUNK_SIZE, DECHUNK_DATA, DECHUNK_DATA_END, DECHUNK_TRAILER, DECHUNK_END } state;
	int64_t left; /* of the chunk */
	size_t trailers;
	size_t trailer_bytes;
	size_t length;
	char line[DECHUNK_LINE_MAX + 2]; /* as far as it has come */
};

/* Reads on, up to where the next piece of data begins or the bytes end; *read of them are done with. *data:
 * how many that follow belong to the body; whoever has taken them says so by dechunk_take. The body is over
 * when the state is DECHUNK_END: nothing is read thereafter. ERR_BAD_REQUEST. */
bool dechunk_read(struct dechunk *dechunk, const char *bytes, size_t length, size_t *read, size_t *data,
	struct err *err);
void dechunk_take(struct dechunk *dechunk, size_t data);

#endif
