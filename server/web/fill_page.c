/* SPDX-License-Identifier: Apache-2.0
 *
 * One download from upstream, and its end by an admin. Nothing that a browser sends unasked proves anything
 * here, so that no page of another site can end one: the token is in the form, or in the page's address. */
#include <inttypes.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/uri.h"
#include "server/http/problem.h"
#include "server/registry/access.h"
#include "server/registry/mirror.h"
#include "server/web/facts.h"
#include "server/web/fill_rows.h"
#include "server/web/times.h"
#include "server/web/web.h"

static void write_form(struct view *view, const json_t *fill)
{
	AUTO_FREE char *command = mem_printf(
		"larder fills cancel %" PRId64 " --server %s", fact_number(fill, "id"), view->base_url);

	view_begin_section(view, "cancel", "Cancel it");
	HTML(&view->html,
		"<p>Clients that wait for it are refused, or cut off. This takes a token with the admin "
		"scope.</p>\n<form class=\"line\" method=\"post\" action=\"%s/-/fills/%" PRId64 "\">\n",
		view->root, fact_number(fill, "id"));
	HTML(&view->html,
		"<label>Token <input type=\"password\" name=\"token\" autocomplete=\"off\"%s></label>\n",
		view->request->path_token ? "" : " required");
	HTML(&view->html, "<button class=\"stop\">Cancel the download</button>\n</form>\n<p>Or in a "
			  "terminal, where LARDER_TOKEN has it:</p>\n");
	view_code(view, "Command", command);
	view_end_section(view);
}

static void write_end(struct view *view, const json_t *fill)
{
	HTML(&view->html, "<p>It ended ");
	times_write_ago(view, fact_text(fill, "ended_at"));
	if (*fact_text(fill, "detail"))
		HTML(&view->html, ": %s.</p>\n", fact_text(fill, "detail"));
	else
		HTML(&view->html, ", and is stored here.</p>\n");
}

static void write_fill(struct view *view, const json_t *fill, const struct err *refusal)
{
	AUTO_FREE char *path =
		mem_printf("%s/%" PRId64, fact_text(fill, "handle"), fact_number(fill, "version"));

	HTML(&view->html, "<div class=\"prose\">\n");
	view_begin_crumbs(view, "/-/activity", "Activity");
	view_end_crumbs(view);
	HTML(&view->html, "<h1>Download of %s</h1>\n", path);
	if (refusal)
		HTML(&view->html,
			"<p class=\"notice stop\" role=\"alert\"><strong>Not cancelled.</strong> %s</p>\n",
			refusal->text);
	HTML(&view->html, "<p>The %s artifact, ", fact_text(fill, "format"));
	if (*fact_text(fill, "upstream"))
		HTML(&view->html, "from %s: ", fact_text(fill, "upstream"));
	fill_rows_write_progress(view, fill);
	HTML(&view->html, ". State: %s. ", fill_rows_state(fill));
	view_link(view, path);
	HTML(&view->html, "Its page</a></p>\n");
	if (*fact_text(fill, "ended_at"))
		write_end(view, fill);
	else
		write_form(view, fill);
	HTML(&view->html, "</div>\n");
}

/* The refusal is shown above the form. */
static void answer(struct view *view, const struct err *refusal, struct reply *reply)
{
	struct err err;
	json_auto_t *fill = facts_ask(view, ask_fill, &(struct ask){.rest = view->request->rest}, &err);

	if (!fill)
		return view_refuse(view, refusal ? refusal : &err, reply);
	if (refusal)
		problem_reply(reply, refusal);
	view_begin(view, "Download from upstream", SECTION_ACTIVITY, NULL);
	write_fill(view, fill, refusal);
	view_send(view, reply, refusal ? reply->status : 200);
}

void web_fill(void *services, struct request *request, struct reply *reply)
{
	AUTO_VIEW struct view view = {0};

	view_init(&view, services, request);
	answer(&view, NULL, reply);
}

/* What the page shows is for readers, whoever sends its form. */
static bool may_read(struct services *services, const struct request *request)
{
	char who[TOKEN_NAME_MAX + 1];
	struct err err;

	return access_check(
		services->access, request_token(request), request->origin, RIGHT_READ, NULL, who, &err);
}

static bool cancel(struct services *services, struct request *request, struct err *err)
{
	AUTO(query_finish) struct query form = {0};
	const char *token;
	int64_t id;

	if (!view_read_form(request, &form, err))
		return false;
	token = query_find(&form, "token");
	/* No header: what stands in front may add one to a form of anybody's. */
	if (!token || !*token)
		token = request->path_token;
	if (!token)
		return err_set(err, ERR_UNAUTHORIZED,
			"It takes a token with the admin scope: `larder token create NAME --scope admin "
			"--expires 90d` makes one where the server runs.");
	if (!access_check(services->access, token, request->origin, RIGHT_ADMIN, NULL, request->who, err))
		return false;
	if (!number_parse(request->rest, &id))
		return err_set(err, ERR_BAD_REQUEST, "The id of a download is a number.");
	return mirror_cancel(services->mirror, id, err);
}

void web_cancel_fill(void *services, struct request *request, struct reply *reply)
{
	AUTO_VIEW struct view view = {0};
	AUTO_FREE char *way = NULL;
	struct err err;

	view_init(&view, services, request);
	if (!cancel(services, request, &err))
		return may_read(services, request) ? answer(&view, &err, reply)
						   : view_refuse(&view, &err, reply);
	way = request_way_to(request, "/-/activity");
	reply_empty(reply, 303);
	reply_header(reply, "Location", way);
	reply_header(reply, "Cache-Control", "no-store");
}
