/* SPDX-License-Identifier: Apache-2.0
 *
 * Documentation as the API answers it. */
#ifndef SERVER_API_DOCUMENTATION_H
#define SERVER_API_DOCUMENTATION_H

#include "server/http/reply.h"
#include "server/http/request.h"
#include "server/registry/services.h"

/* The Markdown as it is where Accept asks for it; else its free part as safe HTML, whose links to modules
 * lead here. */
void documentation_reply(const struct services *services, const struct request *request, const char *markdown,
	struct reply *reply);

#endif
