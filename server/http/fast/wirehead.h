/* SPDX-License-Identifier: Apache-2.0
 *
 * Judges the head of a request as it stands on the wire, before anybody acts on it: whether it has one
 * meaning only (RFC 9112), and what reading it takes. What it passes, libmicrohttpd reads without an answer
 * of its own, and wirefields without a doubt. */
#ifndef SERVER_HTTP_FAST_WIREHEAD_H
#define SERVER_HTTP_FAST_WIREHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/http/request.h"

enum {
	WIRE_HEAD_MAX = 32 << 10, /* bytes, with the empty line at the end */
	WIRE_PARTS_MAX = 1000 /* fields, cookies and parameters of the query, each of which costs memory */
};

struct wire_head {
	enum method method;
	size_t length; /* with the empty line at its end, and those that stand before */
	int64_t body;  /* bytes; -1: chunked */
	size_t memory; /* what libmicrohttpd needs at most for reading it, in bytes */
	bool stays;    /* HTTP/1.1 without a word about the connection, but that it stays */
	bool closes;   /* HTTP/1.0 without a word about it, or only that it is to be closed */
};

/* Whether a head with so many fields Host, and so many that say where the body ends, has one meaning. */
enum { WIRE_FRAMINGS_MAX = 1 };
bool wire_head_check_framing(unsigned hosts, unsigned framings, bool is_1_1, struct err *err);

/* Requests that stand one behind the other. */
struct wire_heads {
	unsigned count;
	int64_t bytes;        /* of all of them, bodies included; -1: unknown */
	size_t memory;        /* the most that one of them needs */
	size_t before_chunks; /* the only one's head, where its body comes in chunks; 0 */
	bool stays;           /* the connection, behind the last */
	enum err_code
		spoilt; /* what is wrong with what follows them; ERR_NONE: nothing, as far as it is there */
};

/* Where the head ends that bytes begin with, which had no end in the first searched ones; 0: not there yet.
 */
size_t wire_head_end(const char *bytes, size_t length, size_t searched);

/* Whether these bytes, with no end of a head in them, may yet become one. ERR_HEAD_TOO_LARGE, and
 * ERR_BAD_REQUEST for what begins like no request. */
bool wire_head_may_end(const char *bytes, size_t length, struct err *err);

/* Reads a head of this length. ERR_BAD_REQUEST says what two servers could read in two ways;
 * ERR_HEAD_TOO_LARGE; ERR_TOO_LARGE for a body whose length is no number of 63 bits. */
bool wire_head_read(const char *bytes, size_t length, struct wire_head *out, struct err *err);

/* Reads all that are there, of which this is the first. One with chunks stands for itself. */
void wire_heads_read(const char *bytes, size_t length, const struct wire_head *first, struct wire_heads *out);

#endif
