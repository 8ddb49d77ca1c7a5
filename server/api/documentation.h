/* SPDX-License-Identifier: Apache-2.0
 *
 * Documentation as the API answers it. */
#ifndef SERVER_API_DOCUMENTATION_H
#define SERVER_API_DOCUMENTATION_H

#include "server/api/ask.h"
#include "server/http/reply.h"
#include "server/http/request.h"

/* The Markdown as it is where Accept asks for it; else its free part as safe HTML, whose links to modules
 * lead here. Or the refusal. */
void documentation_reply(
	void *services, const struct request *request, struct reply *reply, ask_markdown *find);

#endif
