/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/publisher_page.h"

#include <inttypes.h>
#include <string.h>

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

static const char *const passed_on[] = {"q", "sort", "cursor"};

static const char *asked(const struct view *view, const char *key)
{
	const char *value = query_find(&view->request->query, key);

	return value ? value : "";
}

static bool ask(const struct view *view, struct shelf *shelf, struct err *err)
{
	struct query whose = {0};
	struct ask ask = {.rest = shelf->name, .query = &whose, .limit = COLLECTIONS_SHOWN};

	(void)query_set(&whose, "publisher", shelf->name);
	shelf->publisher = facts_ask(view, ask_publisher, &ask, err);
	if (!shelf->publisher)
		return false;
	shelf->collections = facts_ask(view, ask_collections, &ask, err);
	if (!shelf->collections)
		return false;
	for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++) {
		if (*asked(view, passed_on[i]))
			(void)query_set(&whose, passed_on[i], asked(view, passed_on[i]));
	}
	if (!*asked(view, "sort") && !*asked(view, "q"))
		(void)query_set(&whose, "sort", "downloads");
	(void)query_set(&whose, "fold", "true");
	ask.limit = MODULES_ON_A_PAGE;
	shelf->modules = facts_ask(view, ask_modules, &ask, err);
	shelf->documentation = facts_render_documentation(view, ask_publisher_documentation, shelf->name);
	return shelf->modules;
}

static void write_title(struct view *view, const struct shelf *shelf)
{
	int64_t modules = fact_number(shelf->publisher, "modules");
	int64_t collections = fact_number(shelf->publisher, "collections");

	view_begin_crumbs(view, "/", "Modules");
	view_end_crumbs(view);
	HTML(&view->html, "<h1>%s</h1>\n<p class=\"about\">%s module%s",
		fact_text(shelf->publisher, "display_name"), count_text(modules).text,
		modules == 1 ? "" : "s");
	if (collections > 0)
		HTML(&view->html, " and %s collection%s", count_text(collections).text,
			collections == 1 ? "" : "s");
	HTML(&view->html, ", published as <code>%s</code></p>\n", shelf->name);
}

/* To what stands far below. */
static void write_section_links(struct view *view, const struct shelf *shelf)
{
	HTML(&view->html, "<nav class=\"sections\" aria-label=\"On this page\">\n");
	if (shelf->documentation)
		HTML(&view->html, "<a href=\"#documentation\">About</a>\n");
	if (json_array_size(json_object_get(shelf->collections, "collections")) > 0)
		HTML(&view->html, "<a href=\"#collections\">Collections</a>\n");
	HTML(&view->html, "<a href=\"#modules\">Modules</a>\n</nav>\n");
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

static void write_orders(struct view *view)
{
	static const struct {
		const char *value;
		const char *label;
	} orders[] = {
		{"trending", "Trending"},
		{"updated", "Last change"},
		{"name", "Name"},
		{"size", "Size"},
	};

	HTML(&view->html, "<option value=\"\">%s</option>\n", *asked(view, "q") ? "Best match" : "Downloads");
	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
		HTML(&view->html, "<option value=\"%s\"%s>%s</option>\n", orders[i].value,
			strcmp(asked(view, "sort"), orders[i].value) == 0 ? " selected" : "",
			orders[i].label);
}

/* In its modules only; other filters are those of the list of all. */
static void write_search(struct view *view, const struct shelf *shelf)
{
	HTML(&view->html,
		"<form class=\"field within\" role=\"search\" aria-label=\"These modules\" "
		"action=\"%s/%s\">\n"
		"<label class=\"unseen\" for=\"q\">Search the modules of %s</label>\n"
		"<input id=\"q\" type=\"search\" name=\"q\" value=\"%s\" autocomplete=\"off\" "
		"spellcheck=\"false\" placeholder=\"Search these modules\">\n"
		"<label class=\"sort\"><span class=\"unseen\">Sort by</span> <select name=\"sort\">\n",
		view->root, shelf->name, shelf->name, asked(view, "q"));
	write_orders(view);
	HTML(&view->html, "</select></label>\n<button>Search</button>\n</form>\n");
}

static void write_found(struct view *view, const struct shelf *shelf)
{
	int64_t total = fact_number(shelf->modules, "total");

	HTML(&view->html, "<p id=\"count\" role=\"status\">%s module%s match%s. ", count_text(total).text,
		total == 1 ? "" : "s", total == 1 ? "es" : "");
	HTML(&view->html, "<a href=\"%s/%s\">Show all of them</a></p>\n", view->root, shelf->name);
}

static void write_modules(struct view *view, const struct shelf *shelf)
{
	const json_t *modules = json_object_get(shelf->modules, "modules");

	view_begin_section(view, "modules", "Modules");
	if (*asked(view, "q"))
		write_found(view, shelf);
	else if (*asked(view, "cursor"))
		HTML(&view->html, "<p><a href=\"%s/%s\">All of %s, from the beginning</a></p>\n", view->root,
			shelf->name, shelf->name);
	else if (json_array_size(modules) == 0)
		HTML(&view->html, "<p>None is listed; what was withdrawn is not.</p>\n");
	else
		HTML(&view->html, "<p class=\"lead\"><a href=\"%s/?publisher=%s\">Filter them</a></p>\n",
			view->root, shelf->name);
	cards_write_meant(view, shelf->name, shelf->modules);
	cards_write(view, modules, asked(view, "q"));
	cards_write_next(view, shelf->name, shelf->modules);
	view_end_section(view);
}

/* Who looks for something among the modules, or is on a page behind the first, has read what stands before
 * them. Another order is still all of them. */
static bool is_narrowed(const struct view *view)
{
	return *asked(view, "q") || *asked(view, "cursor");
}

static void write_head(struct view *view, const struct shelf *shelf)
{
	HTML(&view->html, "<header class=\"title\">\n");
	write_title(view, shelf);
	if (fact_number(shelf->publisher, "modules") > 1)
		write_search(view, shelf);
	if (!is_narrowed(view))
		write_section_links(view, shelf);
	HTML(&view->html, "</header>\n");
}

static void write_introduction(struct view *view, const struct shelf *shelf)
{
	if (shelf->documentation)
		view_document(view, "About", shelf->documentation, NULL);
	write_collections(view, shelf);
}

void publisher_page_describe(struct view *view, const char *name, struct reply *reply)
{
	AUTO(shelf_finish) struct shelf shelf = {.name = name};
	struct err err;

	if (!view_takes(view, "q sort cursor", reply))
		return;
	if (!ask(view, &shelf, &err))
		return view_refuse(view, &err, reply);
	view->feed = mem_printf("-/feeds/%s.atom", name);
	view_begin(view, fact_text(shelf.publisher, "display_name"), SECTION_NONE, "list.js");
	HTML(&view->html, "<div class=\"page\">\n");
	write_head(view, &shelf);
	if (!is_narrowed(view))
		write_introduction(view, &shelf);
	write_modules(view, &shelf);
	HTML(&view->html, "</div>\n");
	view_send(view, reply, 200);
}
