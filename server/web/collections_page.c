/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/collections_page.h"

#include <inttypes.h>

#include "common/mem.h"
#include "common/uri.h"
#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/html_table.h"
#include "server/web/plain_words.h"
#include "server/web/web.h"

enum { CARDS_ON_A_PAGE = 30, TAGS_ON_A_CARD = 6 };

/* ---- the list ---- */

static void write_card(struct view *view, const json_t *collection)
{
	AUTO_FREE char *path = mem_printf("-/collections/%s", fact_text(collection, "handle"));
	AUTO_FREE char *description = plain_words(fact_text(collection, "description"));
	int64_t modules = fact_number(collection, "modules");

	HTML(&view->html, "<li class=\"card\">\n<h3>");
	view_link(view, path);
	HTML(&view->html, "<span class=\"publisher\">%s/</span><span class=\"name\">%s</span></a></h3>\n",
		fact_text(collection, "publisher"), fact_text(collection, "name"));
	HTML(&view->html, "<p class=\"about\">%s</p>\n", description);
	cards_write_tags(view, json_object_get(collection, "tags"), TAGS_ON_A_CARD);
	HTML(&view->html, "<p class=\"figures\"><span>%s module%s</span></p>\n</li>\n",
		count_text(modules).text, modules == 1 ? "" : "s");
}

void collections_page_write_cards(struct view *view, const json_t *collections)
{
	const json_t *collection;
	size_t i;

	HTML(&view->html, "<ol class=\"cards\">\n");
	json_array_foreach((json_t *)collections, i, collection) write_card(view, collection);
	HTML(&view->html, "</ol>\n");
}

static const char *asked(const struct view *view, const char *key)
{
	const char *value = query_find(&view->request->query, key);

	return value ? value : "";
}

static bool is_narrowed(const struct view *view)
{
	return *asked(view, "q") || *asked(view, "publisher");
}

static void write_search(struct view *view)
{
	HTML(&view->html,
		"<div class=\"bar\">\n<h1>Collections</h1>\n<form class=\"field\" role=\"search\" "
		"aria-label=\"Collections\" "
		"action=\"%s/-/collections\">\n<label class=\"unseen\" for=\"q\">Search collections</label>\n"
		"<input id=\"q\" type=\"search\" name=\"q\" value=\"%s\" autocomplete=\"off\" "
		"spellcheck=\"false\" placeholder=\"Modules that belong together\">\n",
		view->root, asked(view, "q"));
	if (*asked(view, "publisher"))
		HTML(&view->html, "<input type=\"hidden\" name=\"publisher\" value=\"%s\">\n",
			asked(view, "publisher"));
	HTML(&view->html, "<button>Search</button>\n</form>\n</div>\n");
}

static void write_no_match(struct view *view)
{
	HTML(&view->html,
		"<div class=\"empty prose\">\n<h2>No collection matches</h2>\n<p>Fewer or shorter words find "
		"more. <a href=\"%s/-/collections\">Show all collections</a>, or search ",
		view->root);
	HTML(&view->html, "<a href=\"%s/?q=", view->root);
	html_query_value(&view->html, asked(view, "q"));
	HTML(&view->html, "\">modules</a> instead.</p>\n</div>\n");
}

static void write_beginning(struct view *view)
{
	HTML(&view->html,
		"<div class=\"empty prose\">\n<h2>No collection is here yet</h2>\n<p>Publishers say in their "
		"documentation which modules belong together; collections come with a tree of it:</p>\n");
	view_code(view, "List a catalogue", "larder import-docs tfhub.dev.tar.gz");
	HTML(&view->html, "</div>\n");
}

static void write_list(struct view *view, const json_t *answer)
{
	const json_t *collections = json_object_get(answer, "collections");
	int64_t total = fact_number(answer, "total");

	HTML(&view->html,
		"<section class=\"page\" aria-label=\"Collections\">\n"
		"<p id=\"count\" role=\"status\">%s collection%s%s</p>\n"
		"<h2 class=\"unseen\">List</h2>\n",
		count_text(total).text, total == 1 ? "" : "s",
		!is_narrowed(view) ? ""
		: total == 1       ? " matches"
				   : " match");
	if (json_array_size(collections) > 0)
		collections_page_write_cards(view, collections);
	else if (is_narrowed(view))
		write_no_match(view);
	else
		write_beginning(view);
	cards_write_next(view, "-/collections", answer);
	HTML(&view->html, "</section>\n");
}

static void pass_on(const struct view *view, const char *key, struct query *query)
{
	if (*asked(view, key))
		(void)query_set(query, key, asked(view, key));
}

static json_t *ask_list(const struct view *view, struct err *err)
{
	struct query query = {0};

	pass_on(view, "q", &query);
	pass_on(view, "publisher", &query);
	pass_on(view, "cursor", &query);
	return facts_ask(
		view, ask_collections, &(struct ask){.query = &query, .limit = CARDS_ON_A_PAGE}, err);
}

void web_collections(void *services, struct request *request, struct reply *reply)
{
	AUTO_VIEW struct view view = {0};
	json_auto_t *answer = NULL;
	struct err err;

	view_init(&view, services, request);
	if (!view_takes(&view, "q publisher cursor", reply))
		return;
	answer = ask_list(&view, &err);
	if (!answer)
		return view_refuse(&view, &err, reply);
	view_begin(&view, "Collections", SECTION_COLLECTIONS, "list.js");
	write_search(&view);
	write_list(&view, answer);
	view_send(&view, reply, 200);
}

/* ---- one ---- */

static void write_title(struct view *view, const json_t *collection)
{
	const char *publisher = fact_text(collection, "publisher");
	AUTO_FREE char *description = plain_words(fact_text(collection, "description"));

	HTML(&view->html, "<header class=\"title\">\n");
	view_begin_crumbs(view, "/-/collections", "Collections");
	view_crumb(view, publisher, publisher);
	view_end_crumbs(view);
	HTML(&view->html, "<h1>%s</h1>\n<p class=\"about\">%s</p>\n", fact_text(collection, "name"),
		description);
	cards_write_tags(view, json_object_get(collection, "tags"), TAGS_IN_A_HEAD);
	HTML(&view->html, "</header>\n");
}

static void write_collection(struct view *view, const json_t *collection, const char *documentation)
{
	const json_t *modules = json_object_get(collection, "modules");
	AUTO_FREE char *path = mem_printf("-/collections/%s", fact_text(collection, "handle"));

	HTML(&view->html, "<div class=\"page\">\n");
	write_title(view, collection);
	if (documentation)
		view_document(view, "About", documentation, NULL);
	view_begin_section(view, "modules", "Modules");
	if (json_array_size(modules) == 0)
		HTML(&view->html, "<p>None of its modules is known here.</p>\n");
	cards_write(view, modules, NULL);
	cards_write_next(view, path, collection);
	view_end_section(view);
	HTML(&view->html, "</div>\n");
}

void web_collection(void *services, struct request *request, struct reply *reply)
{
	AUTO_VIEW struct view view = {0};
	json_auto_t *collection = NULL;
	AUTO_FREE char *documentation = NULL;
	struct query query = {0};
	struct err err;

	view_init(&view, services, request);
	if (!view_takes(&view, "cursor", reply))
		return;
	pass_on(&view, "cursor", &query);
	(void)query_set(&query, "fold", "true");
	collection = facts_ask(&view, ask_collection,
		&(struct ask){.rest = request->rest, .query = &query, .limit = CARDS_ON_A_PAGE}, &err);
	if (!collection)
		return view_refuse(&view, &err, reply);
	if (!query_find(&query, "cursor"))
		documentation =
			facts_render_documentation(&view, ask_collection_documentation, request->rest);
	view_begin(&view, fact_text(collection, "handle"), SECTION_COLLECTIONS, NULL);
	write_collection(&view, collection, documentation);
	view_send(&view, reply, 200);
}
