/* SPDX-License-Identifier: Apache-2.0
 *
 * The first line of a request (RFC 9112 section 3), read in one way everywhere:
 *   METHOD SP TARGET SP "HTTP/1." DIGIT CR LF
 * with one space each, and a target without control characters. What the target names is request.h's. */
#ifndef SERVER_HTTP_REQUEST_LINE_H
#define SERVER_HTTP_REQUEST_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/http/request.h"

/* The strings lie in the bytes that were read, without a NUL behind them. */
struct request_line {
	enum method method;
	const char *method_text;
	size_t method_length;
	const char *target;
	size_t target_length;
	bool is_ascii; /* the target's bytes are */
	int minor;     /* of HTTP/1.x */
	size_t length; /* with its end */
};

enum request_line_fault {
	LINE_GOOD,
	LINE_UNENDED, /* no LF stands there, or one without its CR */
	LINE_CONTROL, /* a control character */
	LINE_FORM,    /* not three words */
	LINE_VERSION  /* three words, the last of which is no version that we speak */
};

/* Reads the line at the very start of bytes. */
enum request_line_fault request_line_read(const char *bytes, size_t length, struct request_line *out);

/* How many bytes of empty lines stand before it: clients of long ago end a body with one more than its length
 * says. */
size_t request_line_skip_empty(const char *bytes, size_t length);

/* The method that bytes begin with, be the rest as it may. */
enum method request_line_method(const char *bytes, size_t length);

#endif
