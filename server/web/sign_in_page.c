/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/api/answer.h"
#include "server/config.h"
#include "server/registry/sessions.h"
#include "server/web/view.h"
#include "server/web/web.h"

/* A path of ours, and nothing that a browser takes for another host ("//host", "/\\host"). Not this form's
 * own: who has signed in would meet it again. */
static bool is_own_path(const char *next)
{
	if (!next || next[0] != '/' || next[1] == '/' || next[1] == '\\' || strncmp(next, "/-/sign-", 8) == 0)
		return false;
	for (const char *c = next; *c; c++) {
		if (*c <= ' ' || *c > '~' || *c == '\\')
			return false;
	}
	return true;
}

static void set_cookie(const struct view *view, struct reply *reply, const char *value, int64_t lifetime_s)
{
	bool is_secure = strncmp(view->base_url, "https:", 6) == 0;

	reply_header_printf(reply, "Set-Cookie",
		WEB_SESSION_COOKIE "=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Strict%s", value,
		(long long)lifetime_s, is_secure ? "; Secure" : "");
}

static void lead_to(struct reply *reply, const char *path)
{
	reply_empty(reply, 303);
	reply_header(reply, "Location", path);
	reply_header(reply, "Cache-Control", "no-store");
}

static bool is_needed(const struct view *view, struct err *err)
{
	return view->services->config->auth.read_needs_token ||
	       err_set(err, ERR_NOT_FOUND, "Nobody need sign in here: reading takes no token.");
}

void web_sign_in(void *services, struct request *request, struct reply *reply)
{
	const char *next = query_find(&request->query, "next");
	AUTO_VIEW struct view view = {0};
	struct err err;

	view_init(&view, services, request);
	if (!is_needed(&view, &err))
		return view_refuse(&view, &err, reply);
	view_begin(&view, "Sign in", SECTION_NONE, NULL);
	HTML(&view.html,
		"<div class=\"prose\">\n<h1>Sign in</h1>\n"
		"<p>Reading takes a token here. This browser reads with it until it signs out, for twelve "
		"hours at most, and does nothing else with it.</p>\n");
	view_write_sign_in(&view, is_own_path(next) ? next : "/");
	HTML(&view.html, "</div>\n");
	view_send(&view, reply, 200);
}

/* Another site's form would have somebody read with a token that is not his. */
static bool begin(
	const struct view *view, const struct query *form, struct session_text *out, struct err *err)
{
	const struct request *request = view->request;
	const char *token = query_find(form, "token");

	if (!is_needed(view, err))
		return false;
	if (!request_is_from_own_page(request))
		return err_set(
			err, ERR_FORBIDDEN, "This form is another site's: sign in on a page of this one.");
	if (!token || !*token)
		return err_set(err, ERR_UNAUTHORIZED, "There is no token in the form.");
	return sessions_begin(view->services->sessions, token, request->origin, out, err);
}

void web_take_sign_in(void *services, struct request *request, struct reply *reply)
{
	AUTO(query_finish) struct query form = {0};
	AUTO_VIEW struct view view = {0};
	struct session_text session;
	const char *next;
	struct err err;

	view_init(&view, services, request);
	view.next = "/";
	if (!view_read_form(request, &form, &err))
		return view_refuse(&view, &err, reply);
	next = query_find(&form, "next");
	if (is_own_path(next))
		view.next = next;
	if (!begin(&view, &form, &session, &err))
		return view_refuse(&view, &err, reply);
	lead_to(reply, view.next);
	set_cookie(&view, reply, session.text, SESSION_LIFETIME_S);
}

void web_sign_out(void *services, struct request *request, struct reply *reply)
{
	AUTO_VIEW struct view view = {0};
	struct err err;

	view_init(&view, services, request);
	if (!request_is_from_own_page(request)) {
		(void)err_set(
			&err, ERR_FORBIDDEN, "This form is another site's: sign out on a page of this one.");
		return view_refuse(&view, &err, reply);
	}
	lead_to(reply, "/");
	set_cookie(&view, reply, "", 0);
}
