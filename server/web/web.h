/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages for browsers: one handler a page. Works without scripts; a page shows what the API tells. */
#ifndef SERVER_WEB_WEB_H
#define SERVER_WEB_WEB_H

#include "server/http/reply.h"
#include "server/http/request.h"
#include "server/module/name.h"

/* Puts a page in the place of a refusal where the client is a browser that asks for no part of the API;
 * leaves the reply alone otherwise. From any thread. */
void web_refuse(void *services, const struct request *request, const struct err *err, struct reply *reply);

/* "/" and "/-/search": search, filters, the list */
void web_home(void *services, struct request *request, struct reply *reply);
/* /-/static/<revision>/<name> */
void web_asset(void *services, struct request *request, struct reply *reply);
/* /favicon.ico and /robots.txt, which are asked for unbidden */
void web_favicon(void *services, struct request *request, struct reply *reply);
void web_robots(void *services, struct request *request, struct reply *reply);
/* /-/compare/<handle>?from=&to= */
void web_compare(void *services, struct request *request, struct reply *reply);
/* /-/versions/<handle> */
void web_versions(void *services, struct request *request, struct reply *reply);
/* /-/collections and /-/collections/<publisher>/<name> */
void web_collections(void *services, struct request *request, struct reply *reply);
void web_collection(void *services, struct request *request, struct reply *reply);
/* /-/fills: pages of all that run or ended lately; /-/activity: the oldest, and what goes on besides */
void web_fills(void *services, struct request *request, struct reply *reply);
/* /-/fills/<id>: one of them; POST ends it, by a token with the admin scope that the form or the address has
 */
void web_fill(void *services, struct request *request, struct reply *reply);
void web_cancel_fill(void *services, struct request *request, struct reply *reply);
/* /-/publishers */
void web_publishers(void *services, struct request *request, struct reply *reply);
/* /-/feed.atom, and /-/feeds/<publisher or handle>.atom */
void web_feed(void *services, struct request *request, struct reply *reply);
void web_feed_of(void *services, struct request *request, struct reply *reply);
void web_activity(void *services, struct request *request, struct reply *reply);

/* The cookie by which a browser reads that has signed in: HttpOnly, for this site's own pages alone. */
#define WEB_SESSION_COOKIE "larder-session"

/* A header that our scripts send. */
#define WEB_OWN_SCRIPT "X-Larder-Page"
/* /-/sign-in: a form for a token, where reading takes one; POST takes it, and leads back to ?next=.
 * /-/sign-out: POST ends the session. */
void web_sign_in(void *services, struct request *request, struct reply *reply);
void web_take_sign_in(void *services, struct request *request, struct reply *reply);
void web_sign_out(void *services, struct request *request, struct reply *reply);

/* The page of a publisher, a module or a version, whichever the name is: for the bare hub URLs. */
void web_describe(
	void *services, const struct request *request, const struct name *name, struct reply *reply);

#endif
