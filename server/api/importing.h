/* SPDX-License-Identifier: Apache-2.0
 *
 * Bundles that clients send, as JSON. */
#ifndef SERVER_API_IMPORTING_H
#define SERVER_API_IMPORTING_H

#include <jansson.h>

#include "server/http/reply.h"
#include "server/registry/services.h"

/* Answers with an import as it is just now, or that there is none. */
void importing_reply(struct services *services, const char *id, int status, struct reply *reply);

#endif
