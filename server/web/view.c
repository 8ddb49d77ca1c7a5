/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/view.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/uri.h"
#include "server/api/answer.h"
#include "server/api/api_address.h"
#include "server/api/parameters.h"
#include "server/config.h"
#include "server/http/problem.h"
#include "server/module/documents/doccode.h"
#include "server/web/assets.h"
#include "server/web/web.h"

static const struct {
	const char *name;
	const char *value;
} on_every_page[] = {
	{"Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "
		"'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "no-referrer"},
	{"Vary", "Accept"},
};

static const char media_type[] = "text/html; charset=utf-8";

void view_init(struct view *view, struct services *services, const struct request *request)
{
	const char *token = request->path_token;
	AUTO_BUFFER struct buffer encoded = {0};

	*view = (struct view){.services = services, .request = request};
	/* It was decoded, and is a stranger's word where reading takes no token. */
	if (token)
		uri_encode(&encoded, token, "");
	view->root = mem_printf("%s%s", token ? "/-/t/" : "", buffer_string(&encoded));
	view->base_url = answer_base_url(services, request);
	view->url = mem_printf("%s%s", view->base_url, view->root);
}

void view_finish(struct view *view)
{
	html_finish(&view->html);
	free(TAKE(view->root));
	free(TAKE(view->base_url));
	free(TAKE(view->url));
	free(TAKE(view->feed));
}

static void write_static(struct html *html, const struct view *view, const char *name)
{
	HTML(html, "%s/-/static/%s/%s", view->root, assets_revision, name);
}

static const char *feed_of(const struct view *view)
{
	return view->feed ? view->feed : "-/feed.atom";
}

static void write_head(struct view *view, const char *title, const char *script)
{
	struct html *html = &view->html;

	HTML(html,
		"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>%s</title>\n",
		title);
	HTML(html, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		   "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"stylesheet\" href=\"");
	write_static(html, view, "larder.css");
	HTML(html, "\">\n<link rel=\"icon\" type=\"image/svg+xml\" href=\"");
	write_static(html, view, "icon.svg");
	HTML(html,
		"\">\n<link rel=\"alternate\" type=\"application/atom+xml\" title=\"What is new\" "
		"href=\"%s/%s",
		view->root, feed_of(view));
	HTML(html, "\">\n<link rel=\"modulepreload\" href=\"");
	write_static(html, view, "copy.js");
	HTML(html, "\">\n<script type=\"module\" src=\"");
	write_static(html, view, script ? script : "page.js");
	HTML(html, "\"></script>\n</head>\n");
}

static void write_navigation(struct view *view, enum view_section section)
{
	static const struct {
		const char *path;
		const char *name;
		enum view_section section;
	} links[] = {
		{"/", "Modules", SECTION_MODULES},
		{"/-/collections", "Collections", SECTION_COLLECTIONS},
		{"/-/publishers", "Publishers", SECTION_PUBLISHERS},
		{"/-/activity", "Activity", SECTION_ACTIVITY},
	};
	struct html *html = &view->html;

	HTML(html, "<nav aria-label=\"Site\">\n<ul>\n");
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		HTML(html, "<li><a href=\"%s%s\"", view->root, links[i].path);
		if (links[i].section == section)
			HTML(html, " aria-current=\"page\"");
		HTML(html, ">%s</a></li>\n", links[i].name);
	}
	HTML(html, "</ul>\n</nav>\n");
}

/* That of the list of modules is what its filters belong to; it has the words that were asked for. */
static void write_search(struct view *view, bool is_own)
{
	const char *q = is_own ? query_find(&view->request->query, "q") : NULL;
	const char *id = is_own ? "q" : "find";

	HTML(&view->html,
		"<form class=\"find\" id=\"%s\" role=\"search\" aria-label=\"All modules\" action=\"%s/\">\n",
		is_own ? "search" : "search-modules", view->root);
	HTML(&view->html,
		"<label class=\"unseen\" for=\"%s\">Search modules</label>\n"
		"<input id=\"%s\" type=\"search\" name=\"q\" value=\"%s\" placeholder=\"Search by name, task "
		"or text\" "
		"autocomplete=\"off\" spellcheck=\"false\">\n</form>\n",
		id, id, q ? q : "");
}

static void write_header(struct view *view, enum view_section section)
{
	struct html *html = &view->html;

	HTML(html, "<body data-root=\"%s\">\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n",
		view->root);
	HTML(html, "<header class=\"site\">\n<a class=\"brand\" href=\"%s/\"><img src=\"", view->root);
	write_static(html, view, "icon.svg");
	HTML(html, "\" alt=\"\" width=\"28\" height=\"28\">Larder</a>\n");
	write_search(view, section == SECTION_MODULES);
	write_navigation(view, section);
	HTML(html, "</header>\n<main id=\"main\" tabindex=\"-1\">\n");
}

void view_begin(struct view *view, const char *title, enum view_section section, const char *script)
{
	write_head(view, title, script);
	write_header(view, section);
}

static void write_sign_out(struct view *view)
{
	if (view->request->by_session)
		HTML(&view->html,
			"<form class=\"sign-out\" method=\"post\" action=\"/-/sign-out\"><p>Signed in as %s "
			"<button type=\"submit\">Sign out</button></p></form>\n",
			view->request->who);
}

static void write_footer(struct view *view)
{
	HTML(&view->html, "</main>\n<footer class=\"site\">\n");
	write_sign_out(view);
	HTML(&view->html,
		"<p>Larder %s</p>\n"
		"<p><a href=\"%s/api/v1/openapi.yaml\">API</a> <a href=\"%s/metrics\">Metrics</a> <a "
		"href=\"%s/%s\">Feed</a></p>\n</footer>\n</body>\n</html>\n",
		LARDER_VERSION, view->root, view->root, view->root, feed_of(view));
}

static void take_page(struct view *view, struct reply *reply, int status)
{
	size_t length = view->html.out.length;

	mem_note_made(length);
	reply_take_bytes(reply, status, media_type, buffer_take(&view->html.out), length);
}

void view_send(struct view *view, struct reply *reply, int status)
{
	write_footer(view);
	take_page(view, reply, status);
	for (size_t i = 0; i < sizeof on_every_page / sizeof *on_every_page; i++)
		reply_header(reply, on_every_page[i].name, on_every_page[i].value);
	if (reply->problem == ERR_NONE)
		reply_header(reply, "Cache-Control", "no-cache");
}

/* A page in place of what the API has at an address. */
static void write_place(struct view *view, const struct api_address *address)
{
	static const struct {
		const char *path;
		const char *words;
	} places[API_PLACE_COUNT] = {
		[API_PLACE_SEARCH] = {"?q=", "Search for "},
		[API_PLACE_MODULE] = {"", ""},
		[API_PLACE_PUBLISHERS] = {"-/publishers", "The list of publishers"},
		[API_PLACE_COLLECTIONS] = {"-/collections", "The list of collections"},
	};

	HTML(&view->html, "<a href=\"%s/%s", view->root, places[address->place].path);
	if (address->place == API_PLACE_MODULE)
		html_path(&view->html, address->of);
	else if (address->place == API_PLACE_SEARCH)
		html_query_value(&view->html, address->of);
	HTML(&view->html, "\">%s%s</a>", places[address->place].words,
		address->place <= API_PLACE_MODULE ? address->of : "");
}

void view_write_detail(struct view *view, const char *detail)
{
	struct api_address address;

	if (!api_address_find(detail, &address)) {
		HTML(&view->html, "%s", detail);
		return;
	}
	AUTO_FREE char *before = mem_dup_n(detail, address.begin);
	HTML(&view->html, "%s", before);
	write_place(view, &address);
	HTML(&view->html, "%s", detail + address.end);
}

bool view_read_form(const struct request *request, struct query *out, struct err *err)
{
	return query_parse(buffer_string(&request->body), out) ||
	       err_set(err, ERR_BAD_REQUEST, "The form cannot be read: send it from its page.");
}

void view_write_sign_in(struct view *view, const char *next)
{
	HTML(&view->html,
		"<form class=\"sign-in\" method=\"post\" action=\"/-/sign-in\">\n"
		"<input type=\"hidden\" name=\"next\" value=\"%s\">\n"
		"<label for=\"token\">Token</label>\n"
		"<input id=\"token\" type=\"password\" name=\"token\" required "
		"autocomplete=\"current-password\" "
		"spellcheck=\"false\">\n<button type=\"submit\">Sign in</button>\n</form>\n",
		next);
}

/* Who has a token in the address already is not to give it again. */
static void write_ways_in(struct view *view)
{
	const struct request *request = view->request;
	bool takes =
		view->services->config->auth.read_needs_token && !request->path_token && !request->as_proxy;

	if (takes)
		view_write_sign_in(view, view->next ? view->next : request->log_path);
	HTML(&view->html,
		"<p>A browser can send one in the address: <code>%s/-/t/&lt;token&gt;/</code>.</p>\n",
		view->url);
}

void view_refuse(struct view *view, const struct err *err, struct reply *reply)
{
	struct html *html = &view->html;

	html_finish(html);
	if (reply->problem == ERR_NONE)
		problem_reply(reply, err);
	view_begin(view, problem_title(err->code), SECTION_NONE, NULL);
	HTML(html, "<div class=\"prose\">\n<h1>%s</h1>\n<p>", problem_title(err->code));
	view_write_detail(view, err->code == ERR_INTERNAL
					? "Something went wrong here; the server's log has the details."
					: err->text);
	HTML(html, "</p>\n");
	if (err->code == ERR_UNAUTHORIZED)
		write_ways_in(view);
	HTML(html, "<p><a href=\"%s/\">All modules</a></p>\n</div>\n", view->root);
	view_send(view, reply, reply->status);
}

bool view_takes(struct view *view, const char *parameters, struct reply *reply)
{
	struct err err;

	if (parameters_check_page(&view->request->query, parameters, &err))
		return true;
	view_refuse(view, &err, reply);
	return false;
}

void view_link(struct view *view, const char *path)
{
	HTML(&view->html, "<a href=\"%s/", view->root);
	html_path(&view->html, path);
	HTML(&view->html, "\">");
}

void view_begin_crumbs(struct view *view, const char *path, const char *name)
{
	HTML(&view->html, "<nav class=\"crumbs\" aria-label=\"Breadcrumb\"><a href=\"%s%s\">%s</a>",
		view->root, path, name);
}

void view_crumb(struct view *view, const char *path, const char *name)
{
	HTML(&view->html, " / ");
	view_link(view, path);
	HTML(&view->html, "%s</a>", name);
}

void view_end_crumbs(struct view *view)
{
	HTML(&view->html, "</nav>\n");
}

void view_begin_section(struct view *view, const char *id, const char *title)
{
	HTML(&view->html, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", id, id, title);
}

void view_end_section(struct view *view)
{
	HTML(&view->html, "</section>\n");
}

void view_document(struct view *view, const char *title, const char *rendered, const char *note)
{
	view_begin_section(view, "documentation", title);
	if (note)
		HTML(&view->html, "<p class=\"note\">%s</p>\n", note);
	if (strstr(rendered, DOCCODE_LED))
		HTML(&view->html, "<p class=\"note\">Its code loads from this server what was written to be "
				  "loaded from elsewhere.</p>\n");
	HTML(&view->html, "<div class=\"document\">\n");
	html_document(&view->html, rendered);
	HTML(&view->html, "</div>\n");
	view_end_section(view);
}

/* The script finds the button by its class and copies the code beside it; without scripts there is no button.
 */
void view_code(struct view *view, const char *label, const char *code)
{
	HTML(&view->html,
		"<div class=\"code\"><pre tabindex=\"0\" aria-label=\"%s\"><code>%s</code></pre></div>\n",
		label, code);
}

/* Whoever asks the API reads problems, a script of a page as well. */
static bool asks_api(const struct request *request)
{
	static const char api[] = "/api";
	const char *path = request->path ? request->path : request->log_path;

	return path && strncmp(path, api, sizeof api - 1) == 0 && strchr("/?", path[sizeof api - 1]);
}

void web_refuse(void *services, const struct request *request, const struct err *err, struct reply *reply)
{
	AUTO_VIEW struct view view = {0};

	if (!request_wants_html(request) || asks_api(request))
		return;
	view_init(&view, services, request);
	view_refuse(&view, err, reply);
}
