/* SPDX-License-Identifier: Apache-2.0
 *
 * What the front asks about each request: whether its client may, and in which words it is answered. The
 * context is the services. */
#ifndef SERVER_GATEKEEPER_H
#define SERVER_GATEKEEPER_H

#include <stdbool.h>

#include "common/err.h"
#include "server/http/reply.h"
#include "server/http/request.h"
#include "server/http/route.h"

/* Whether the client has the right of that role, by token, capability or a browser's session; sets
 * request->who. ERR_UNAUTHORIZED or ERR_FORBIDDEN. */
bool gatekeeper_authorize(void *context, enum role role, struct request *request, struct err *err);

/* Puts a page, or what Kaggle's clients read, in the place of a refusal that no handler made. */
void gatekeeper_present(
	void *services, const struct request *request, const struct err *err, struct reply *reply);

/* Puts an answer into the words of Kaggle's clients, and keeps what a session was shown out of caches. */
void gatekeeper_adapt(void *services, const struct request *request, struct reply *reply);

#endif
