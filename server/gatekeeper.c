/* SPDX-License-Identifier: Apache-2.0 */
#include "server/gatekeeper.h"

#include <string.h>

#include "common/own.h"
#include "server/kagglehub/kaggle_reply.h"
#include "server/registry/access.h"
#include "server/registry/capabilities.h"
#include "server/registry/services.h"
#include "server/registry/sessions.h"
#include "server/web/web.h"

/* Over plain HTTP browsers do not tell from where a request comes: our scripts do, and EventSource by what it
 * takes. */
static bool is_of_a_page(const struct request *request)
{
	const char *accept = request_header(request, "Accept");

	return request_wants_html(request) || request_header(request, "Sec-Fetch-Site") ||
	       request_header(request, WEB_OWN_SCRIPT) ||
	       (accept && strcmp(accept, "text/event-stream") == 0);
}

/* What a program sends only when it is asked for it, a browser would ask its user for. */
static bool is_of_a_program(const struct request *request)
{
	return !is_of_a_page(request) && !request_header(request, "Sec-Fetch-Mode") &&
	       !request_header(request, "Cookie") && !request_header(request, "Accept-Language");
}

/* Whether a browser shows a page, or our page asks for what it shows, with a session's cookie. */
static bool is_signed_in(const struct services *services, struct request *request)
{
	bool is_page = request->method == METHOD_GET || request->method == METHOD_HEAD;
	AUTO_FREE char *session = is_page ? request_cookie(request, WEB_SESSION_COOKIE) : NULL;
	struct err ignored;

	request->by_session = session && request_is_from_own_page(request) && is_of_a_page(request) &&
			      sessions_check(services->sessions, session, request->who, &ignored);
	return request->by_session;
}

bool gatekeeper_authorize(void *context, enum role role, struct request *request, struct err *err)
{
	const struct services *services = context;

	if (role == ROLE_READ && capability_is_one(request->path_token))
		return capabilities_check(services->capabilities, request->path_token, CAPABILITY_FOLLOWS,
			       request->path, request->who, err) ||
		       capabilities_check(services->capabilities, request->path_token, CAPABILITY_READS,
			       request->path, request->who, err);
	if (role == ROLE_READ && !request_token(request) && is_signed_in(services, request))
		return true;
	return access_check(services->access, request_token(request), request->origin,
		role == ROLE_ADMIN ? RIGHT_ADMIN : RIGHT_READ, NULL, request->who, err);
}

void gatekeeper_present(
	void *services, const struct request *request, const struct err *err, struct reply *reply)
{
	web_refuse(services, request, err, reply);
	if (err->code == ERR_UNAUTHORIZED && is_of_a_program(request))
		reply_header(reply, "WWW-Authenticate", "Basic realm=\"larder\"");
	kaggle_adapt(services, request, reply);
}

void gatekeeper_adapt(void *services, const struct request *request, struct reply *reply)
{
	kaggle_adapt(services, request, reply);
	if (request->by_session)
		reply_make_private(reply);
}
