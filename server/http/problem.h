/* SPDX-License-Identifier: Apache-2.0
 *
 * Refusals as problem+json (RFC 9457). The one table from error code to status and title. */
#ifndef SERVER_HTTP_PROBLEM_H
#define SERVER_HTTP_PROBLEM_H

#include <jansson.h>

#include "common/err.h"
#include "server/http/reply.h"

/* The status for a code, and its title. */
int problem_status(enum err_code code);
const char *problem_title(enum err_code code);

/* Turns the reply into this refusal, with Retry-After where trying again helps and WWW-Authenticate with 401.
 * The text of ERR_INTERNAL stays in the log: the client reads a general sentence. */
void problem_reply(struct reply *reply, const struct err *err);

/* The same with more members in the JSON object; takes over `extra`. */
void problem_reply_with(struct reply *reply, const struct err *err, json_t *extra);

#endif
