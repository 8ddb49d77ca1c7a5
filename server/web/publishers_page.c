/* SPDX-License-Identifier: Apache-2.0
 *
 * All publishers: searched, sorted. */
#include <inttypes.h>
#include <string.h>

#include "common/uri.h"
#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/marks.h"
#include "server/web/web.h"

enum { PUBLISHERS_ON_A_PAGE = 60 };

static const char *asked(const struct view *view, const char *key)
{
	const char *value = query_find(&view->request->query, key);

	return value ? value : "";
}

static json_t *ask(const struct view *view, struct err *err)
{
	static const char *const passed_on[] = {"q", "sort", "cursor"};
	struct query query = {0};

	for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++) {
		if (*asked(view, passed_on[i]))
			(void)query_set(&query, passed_on[i], asked(view, passed_on[i]));
	}
	if (!*asked(view, "sort"))
		(void)query_set(&query, "sort", "modules");
	return facts_ask(
		view, ask_publishers, &(struct ask){.query = &query, .limit = PUBLISHERS_ON_A_PAGE}, err);
}

static void write_search(struct view *view)
{
	bool by_name = strcmp(asked(view, "sort"), "name") == 0;

	HTML(&view->html,
		"<div class=\"bar\">\n<h1>Publishers</h1>\n<form class=\"field\" role=\"search\" "
		"aria-label=\"Publishers\" "
		"action=\"%s/-/publishers\">\n<label class=\"unseen\" for=\"q\">Search publishers</label>\n"
		"<input id=\"q\" type=\"search\" name=\"q\" value=\"%s\" autocomplete=\"off\" "
		"spellcheck=\"false\" placeholder=\"Who has made it\">\n"
		"<label class=\"sort\"><span class=\"unseen\">Sort by</span> <select name=\"sort\">\n"
		"<option value=\"\">Most modules</option>\n<option "
		"value=\"name\"%s>Name</option>\n</select></label>\n"
		"<button>Search</button>\n</form>\n</div>\n",
		view->root, asked(view, "q"), by_name ? " selected" : "");
}

static void write_publisher(struct view *view, const json_t *publisher)
{
	const char *name = fact_text(publisher, "name"), *display = fact_text(publisher, "display_name");
	int64_t modules = fact_number(publisher, "modules");

	HTML(&view->html, "<li class=\"card\">\n<h3>");
	view_link(view, name);
	marks_write(&view->html, display, asked(view, "q"));
	HTML(&view->html, "</a></h3>\n<p class=\"figures\"><span>%s module%s</span></p>\n",
		count_text(modules).text, modules == 1 ? "" : "s");
	if (strcmp(name, display) != 0) {
		HTML(&view->html, "<p class=\"about\"><code>");
		marks_write(&view->html, name, asked(view, "q"));
		HTML(&view->html, "</code></p>\n");
	}
	HTML(&view->html, "</li>\n");
}

static void write_list(struct view *view, const json_t *answer)
{
	const json_t *publishers = json_object_get(answer, "publishers");
	int64_t total = fact_number(answer, "total");
	const json_t *publisher;
	size_t i;

	HTML(&view->html,
		"<section class=\"page\" aria-label=\"Publishers\">\n"
		"<p id=\"count\" role=\"status\">%s publisher%s</p>\n<h2 "
		"class=\"unseen\">List</h2>\n",
		count_text(total).text, total == 1 ? "" : "s");
	if (total == 0)
		HTML(&view->html,
			"<div class=\"empty prose\">\n<h2>No publisher matches</h2>\n"
			"<p><a href=\"%s/-/publishers\">Show all publishers</a></p>\n</div>\n",
			view->root);
	HTML(&view->html, "<ol class=\"cards names\">\n");
	json_array_foreach((json_t *)publishers, i, publisher) write_publisher(view, publisher);
	HTML(&view->html, "</ol>\n");
	cards_write_next(view, "-/publishers", answer);
	HTML(&view->html, "</section>\n");
}

void web_publishers(void *services, struct request *request, struct reply *reply)
{
	AUTO_VIEW struct view view = {0};
	json_auto_t *answer = NULL;
	struct err err;

	view_init(&view, services, request);
	if (!view_takes(&view, "q sort cursor", reply))
		return;
	answer = ask(&view, &err);
	if (!answer)
		return view_refuse(&view, &err, reply);
	view_begin(&view, "Publishers", SECTION_PUBLISHERS, "list.js");
	write_search(&view);
	write_list(&view, answer);
	view_send(&view, reply, 200);
}
