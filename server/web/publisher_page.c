/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/publisher_page.h"

#include <inttypes.h>

#include "common/mem.h"
#include "common/uri.h"
#include "server/web/cards.h"
#include "server/web/collections_page.h"
#include "server/web/facts.h"
#include "server/web/html_table.h"

enum { COLLECTIONS_SHOWN = 6, MODULES_ON_A_PAGE = 30 };

struct shelf {
	const char *name;
	json_t *publisher;
	json_t *collections;
	json_t *modules;
	char *documentation; /* NULL: none */
};

static void shelf_finish(struct shelf *shelf)
{
	json_decref(shelf->publisher);
	json_decref(shelf->collections);
	json_decref(shelf->modules);
	free(shelf->documentation);
}

static bool ask(const struct view *view, struct shelf *shelf, struct err *err)
{
	const char *cursor = query_find(&view->request->query, "cursor");
	struct query whose = {0};
	struct ask ask = {.rest = shelf->name, .query = &whose, .limit = COLLECTIONS_SHOWN};

	(void)query_set(&whose, "publisher", shelf->name);
	shelf->publisher = facts_ask(view, ask_publisher, &ask, err);
	if (!shelf->publisher)
		return false;
	shelf->collections = facts_ask(view, ask_collections, &ask, err);
	if (!shelf->collections)
		return false;
	if (cursor)
		(void)query_set(&whose, "cursor", cursor);
	ask.limit = MODULES_ON_A_PAGE;
	shelf->modules = facts_ask(view, ask_modules, &ask, err);
	shelf->documentation = facts_render_documentation(view, ask_publisher_documentation, shelf->name);
	return shelf->modules;
}

static void write_title(struct view *view, const struct shelf *shelf)
{
	int64_t modules = fact_number(shelf->publisher, "modules");
	int64_t collections = fact_number(shelf->publisher, "collections");

	HTML(&view->html, "<header class=\"title\">\n");
	view_begin_crumbs(view, "/", "Modules");
	view_end_crumbs(view);
	HTML(&view->html, "<h1>%s</h1>\n<p class=\"about\">%s module%s",
		fact_text(shelf->publisher, "display_name"), count_text(modules).text,
		modules == 1 ? "" : "s");
	if (collections > 0)
		HTML(&view->html, " and %s collection%s", count_text(collections).text,
			collections == 1 ? "" : "s");
	HTML(&view->html, ", published as <code>%s</code></p>\n</header>\n", shelf->name);
}

static void write_collections(struct view *view, const struct shelf *shelf)
{
	const json_t *collections = json_object_get(shelf->collections, "collections");

	if (json_array_size(collections) == 0)
		return;
	view_begin_section(view, "collections", "Collections");
	collections_page_write_cards(view, collections);
	if (fact_number(shelf->publisher, "collections") > COLLECTIONS_SHOWN)
		HTML(&view->html,
			"<p class=\"more\"><a href=\"%s/-/collections?publisher=%s\">All %s "
			"collections</a></p>\n",
			view->root, shelf->name,
			count_text(fact_number(shelf->publisher, "collections")).text);
	view_end_section(view);
}

static void write_modules(struct view *view, const struct shelf *shelf)
{
	const json_t *modules = json_object_get(shelf->modules, "modules");

	view_begin_section(view, "modules", "Modules");
	if (json_array_size(modules) == 0)
		HTML(&view->html, "<p>None is listed; what was withdrawn is not.</p>\n");
	else
		HTML(&view->html,
			"<p class=\"lead\"><a href=\"%s/?publisher=%s\">Search and filter them</a></p>\n",
			view->root, shelf->name);
	cards_write(view, modules, NULL);
	cards_write_next(view, shelf->name, shelf->modules);
	view_end_section(view);
}

void publisher_page_describe(struct view *view, const char *name, struct reply *reply)
{
	AUTO(shelf_finish) struct shelf shelf = {.name = name};
	struct err err;

	if (!ask(view, &shelf, &err))
		return view_refuse(view, &err, reply);
	view_begin(view, fact_text(shelf.publisher, "display_name"), SECTION_NONE, "list.js");
	HTML(&view->html, "<div class=\"page\">\n");
	write_title(view, &shelf);
	if (shelf.documentation)
		view_document(view, "About", shelf.documentation, NULL);
	write_collections(view, &shelf);
	write_modules(view, &shelf);
	HTML(&view->html, "</div>\n");
	view_send(view, reply, 200);
}
