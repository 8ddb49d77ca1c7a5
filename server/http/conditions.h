/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditional and range requests on a representation that is wholly there (RFC 9110 sections 13 and 14). */
#ifndef SERVER_HTTP_CONDITIONS_H
#define SERVER_HTTP_CONDITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/http/request.h"

enum condition {
	CONDITION_WHOLE,
	CONDITION_PART, /* first and length are set */
	CONDITION_NOT_MODIFIED,
	CONDITION_FAILED, /* If-Match or If-Unmodified-Since */
	CONDITION_NOT_SATISFIABLE
};

/* The status that such an answer has: 200, 206, 304, 412, 416. */
int condition_status(enum condition condition);

struct selection {
	enum condition condition;
	int64_t first;
	int64_t length;
};

/* Evaluates If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range and Range in the order
 * of RFC 9110 13.2.2. etag is strong and quoted. Several ranges, other units and malformed ranges give the
 * whole. */
struct selection conditions_evaluate(
	const struct request *request, const char *etag, int64_t last_modified_s, int64_t size_bytes);

/* Whether If-None-Match names this strong, quoted tag: 304, where nothing is known of dates. */
bool conditions_client_has(const struct request *request, const char *etag);

/* What a GET asks for of a representation that is still growing, so that neither its size nor its ETag are
 * known. */
enum foresight {
	FORESIGHT_WHOLE, /* all of it, also by "bytes=0-": 200 at once */
	FORESIGHT_PART,  /* *first to *last, once they are there; to the end where *last is negative, the last
			  * *last bytes where *first is */
	FORESIGHT_NONE   /* that depends on what is not known yet */
};
enum foresight conditions_foresee(const struct request *request, int64_t *first, int64_t *last);

#endif
