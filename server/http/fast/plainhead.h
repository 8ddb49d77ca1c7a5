/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the head of a plain GET or HEAD: one that asks for a path without a body, a token or anything else
 * that two servers could understand in two ways. What is not plain in each byte is no error: wirehead
 * judges it. */
#ifndef SERVER_HTTP_FAST_PLAINHEAD_H
#define SERVER_HTTP_FAST_PLAINHEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "server/http/request.h"

enum { PLAIN_CONDITIONS = 6 };

struct plain_condition {
	const char *name;
	const char *value;
};

/* Its strings lie in the bytes that were read. */
struct plain_head {
	enum method method;
	const char *target;                                  /* origin-form: begins with "/" */
	size_t length;                                       /* of the head, with the empty line at its end */
	bool closes;                                         /* Connection: close */
	struct plain_condition conditions[PLAIN_CONDITIONS]; /* Range, If-Range, If-None-Match … */
	size_t condition_count;
	const char *told[2]; /* the last of X-Forwarded-For and of Forwarded, as enum forwarded_kind numbers
				them; or NULL */
};

/* Reads the head at the start of bytes, writing NULs into them. False: not plain, or not all there. */
bool plain_head_read(char *bytes, size_t length, struct plain_head *out);

/* A condition's value, or NULL; fits request.find_header. */
const char *plain_head_find(const void *head, const char *name);

#endif
