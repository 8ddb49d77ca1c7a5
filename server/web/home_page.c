/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "common/mem.h"
#include "common/uri.h"
#include "server/api/parameters.h"
#include "server/api/search_results.h"
#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/filters.h"
#include "server/web/marks.h"
#include "server/web/web.h"

enum { CARDS_ON_A_PAGE = 30, FEW = 3 };

/* Without words there is no match to be the best; what others use comes first then. */
static const char default_sort[] = "downloads";

static const char *asked(const struct view *view)
{
	const char *q = query_find(&view->request->query, "q");

	return q ? q : "";
}

/* ---- what the API is asked ---- */

/* An empty field of the form says nothing. */
static struct query filled_in(const struct query *form)
{
	struct query query = {0};

	for (size_t i = 0; i < form->count; i++) {
		if (*form->parameters[i].value)
			query.parameters[query.count++] = form->parameters[i];
	}
	return query;
}

static json_t *ask(const struct view *view, struct err *err)
{
	struct query query = filled_in(&view->request->query);
	bool sorts = *asked(view) || query_find(&query, "sort") || query_set(&query, "sort", default_sort);

	if (!sorts || !query_set(&query, "facets", "true") || !query_set(&query, "fold", "true")) {
		(void)err_set(err, ERR_BAD_REQUEST, "The address has too many parameters.");
		return NULL;
	}
	return facts_ask(view, ask_modules, &(struct ask){.query = &query, .limit = CARDS_ON_A_PAGE}, err);
}

/* ---- the form ---- */

/* For who does not know what this is, until it is told what to look for. */
static void write_lead(struct view *view)
{
	HTML(&view->html, "<p class=\"lead\">Models of TensorFlow Hub and of your own, stored near those who "
			  "load them. "
			  "Open one for the code that loads it from here.</p>\n");
}

/* The first is what an address without one means, so that it may be left out: words that are put into the
 * field later then find what matches best. */
static void write_sort(struct view *view)
{
	static const struct {
		const char *value;
		const char *label;
	} orders[] = {
		{"downloads", "Downloads"},
		{"trending", "Trending"},
		{"updated", "Last change"},
		{"name", "Name"},
		{"size", "Size"},
	};
	const char *sort = query_find(&view->request->query, "sort");
	size_t from = *asked(view) ? 0 : 1;

	HTML(&view->html,
		"<label class=\"sort\">Sort by <select name=\"sort\" form=\"search\">\n"
		"<option value=\"\">%s</option>\n",
		from == 0 ? "Best match" : orders[0].label);
	for (size_t i = from; i < sizeof orders / sizeof *orders; i++)
		HTML(&view->html, "<option value=\"%s\"%s>%s</option>\n", orders[i].value,
			sort && strcmp(sort, orders[i].value) == 0 ? " selected" : "", orders[i].label);
	HTML(&view->html, "</select></label>\n");
}

static void write_filters(struct view *view, const json_t *answer)
{
	const json_t *facets = json_object_get(answer, "facets");
	const size_t chosen = filters_count(view->request);

	if (json_object_size(facets) == 0)
		return;
	HTML(&view->html, "<aside id=\"filters\" class=\"filters\" aria-label=\"Filters\">\n"
			  "<button type=\"button\" class=\"fold\" aria-expanded=\"false\" "
			  "aria-controls=\"groups\">Filters");
	if (chosen > 0)
		HTML(&view->html, " (%d)", (int)chosen);
	HTML(&view->html, "</button>\n<div id=\"groups\">\n");
	filters_write(view, answer);
	HTML(&view->html,
		"<p class=\"apply\"><button form=\"search\">Apply</button></p>\n</div>\n</aside>\n");
}

/* ---- the list ---- */

/* Nothing is here yet: how that changes. */
static void write_beginning(struct view *view)
{
	AUTO_FREE char *prefetch =
		mem_printf("larder prefetch --server %s google/nnlm-en-dim50/2", view->url);
	AUTO_FREE char *publish = mem_printf("larder publish my-model/ %s/acme/my-model/1", view->url);

	HTML(&view->html, "<div class=\"hero\">\n<h1>Models, close at hand</h1>\n");
	write_lead(view);
	HTML(&view->html, "</div>\n<div class=\"empty prose\">\n<h2>Nothing is here yet</h2>\n"
			  "<p>A module comes here when it is first asked for, and stays. Download one from "
			  "upstream now:</p>\n");
	view_code(view, "Download a module", prefetch);
	HTML(&view->html,
		"<p>Publish one of your own; the token is made once, by whoever runs this server:</p>\n");
	view_code(view, "Make a token",
		"export LARDER_TOKEN=$(larder token create ci --scope 'publish:acme/*' --expires 90d)");
	view_code(view, "Publish a module", publish);
	HTML(&view->html, "<p>Or list a whole catalogue of documentation, whose modules are downloaded at "
			  "first use:</p>\n");
	view_code(view, "List a catalogue", "larder import-docs tfhub.dev.tar.gz");
	HTML(&view->html, "</div>\n");
}

static void write_no_match(struct view *view)
{
	HTML(&view->html, "<div class=\"empty prose\">\n<h2>No module matches</h2>\n<ul>\n"
			  "<li>Fewer or shorter words find more: each of them must occur.</li>\n");
	if (filters_count(view->request) > 0) {
		HTML(&view->html, "<li><a href=\"%s/?q=", view->root);
		html_query_value(&view->html, asked(view));
		HTML(&view->html, "\">Search without filters</a></li>\n");
	}
	HTML(&view->html,
		"<li><a href=\"%s/\">Show all modules</a></li>\n"
		"<li>What an upstream has need not be listed here: a handle and its version after "
		"<code>%s/</code> download it.</li>\n</ul>\n</div>\n",
		view->root, view->url);
}

/* What the words named, if they are no words but a name. */
static void write_exact(struct view *view, const json_t *exact)
{
	AUTO_FREE char *path = NULL;

	if (!exact || (fact_true(exact, "known") && fact_number(exact, "version") == 0))
		return;
	path = fact_number(exact, "version") > 0
		       ? mem_printf("%s/%" PRId64, fact_text(exact, "handle"), fact_number(exact, "version"))
		       : mem_dup(fact_text(exact, "handle"));
	HTML(&view->html, "<p class=\"hint\">%s", fact_true(exact, "known") ? "Open " : "");
	view_link(view, path);
	HTML(&view->html, "%s</a>%s</p>\n", path,
		fact_true(exact, "known") ? "" : " is not known here; an upstream may have it.");
}

/* The first few of a list whose names or words match, as links in one line. */
static void write_links(struct view *view, const json_t *list, const char *way, const char *key)
{
	const json_t *item;
	size_t i;

	json_array_foreach((json_t *)list, i, item)
	{
		AUTO_FREE char *path = mem_printf("%s%s", way, fact_text(item, key));
		int64_t modules = fact_number(item, "modules");

		HTML(&view->html, "%s", i ? ", " : "");
		view_link(view, path);
		marks_write(&view->html, fact_text(item, key), asked(view));
		HTML(&view->html, "</a> <span class=\"count\">%s</span>", count_text(modules).text);
	}
}

static json_t *ask_for_few(const struct view *view, ask_value *value, const char *sort)
{
	struct query query = {0};
	struct err err;

	(void)query_set(&query, "q", asked(view));
	if (sort)
		(void)query_set(&query, "sort", sort);
	return facts_ask(view, value, &(struct ask){.query = &query, .limit = FEW}, &err);
}

/* Publishers and collections that the words find as well. */
static void write_others(struct view *view)
{
	json_auto_t *publishers = ask_for_few(view, ask_publishers, "modules");
	json_auto_t *collections = ask_for_few(view, ask_collections, NULL);
	const json_t *named = json_object_get(publishers, "publishers");
	const json_t *gathered = json_object_get(collections, "collections");

	if (json_array_size(named) + json_array_size(gathered) == 0)
		return;
	HTML(&view->html, "<p class=\"hint\">");
	if (json_array_size(named) > 0) {
		HTML(&view->html, "Publishers: ");
		write_links(view, named, "", "name");
	}
	if (json_array_size(gathered) > 0) {
		HTML(&view->html, "%sCollections: ", json_array_size(named) > 0 ? " · " : "");
		write_links(view, gathered, "-/collections/", "handle");
	}
	HTML(&view->html, "</p>\n");
}

static void write_hints(struct view *view, const json_t *answer)
{
	const json_t *exact = json_object_get(answer, "exact");

	write_exact(view, exact);
	cards_write_meant(view, "", answer);
	if (*asked(view) && !exact && !query_find(&view->request->query, "cursor"))
		write_others(view);
}

static void write_bar(struct view *view, int64_t total, bool narrowed)
{
	HTML(&view->html,
		"<div class=\"bar\">\n<h1>Modules</h1>\n<p id=\"count\" role=\"status\">%s module%s%s</p>\n",
		count_text(total).text, total == 1 ? "" : "s",
		!narrowed    ? ""
		: total == 1 ? " matches"
			     : " match");
	write_sort(view);
	HTML(&view->html, "</div>\n");
}

static void write_found(struct view *view, const json_t *answer, bool narrowed)
{
	const json_t *exact = json_object_get(answer, "exact");
	const json_t *modules = json_object_get(answer, "modules");

	write_bar(view, fact_number(answer, "total"), narrowed);
	filters_write_chosen(view);
	if (!narrowed && !query_find(&view->request->query, "cursor"))
		write_lead(view);
	write_hints(view, answer);
	HTML(&view->html, "<h2 class=\"unseen\">List</h2>\n");
	if (json_array_size(modules) > 0)
		cards_write(view, modules, exact ? fact_text(exact, "handle") : asked(view));
	else
		write_no_match(view);
	cards_write_next(view, "", answer);
}

static void write_results(struct view *view, const json_t *answer)
{
	bool narrowed = *asked(view) || filters_count(view->request) > 0;

	HTML(&view->html, "<section id=\"results\" class=\"results\" aria-label=\"Modules\">\n");
	if (narrowed || json_array_size(json_object_get(answer, "modules")) > 0)
		write_found(view, answer, narrowed);
	else
		write_beginning(view);
	HTML(&view->html, "</section>\n");
}

static void write_refusal(struct view *view, const struct err *err)
{
	HTML(&view->html,
		"<section id=\"results\" class=\"results\" aria-label=\"Modules\">\n"
		"<div class=\"empty prose\" role=\"status\">\n<h1>This cannot be searched "
		"for</h1>\n<p>%s</p>\n"
		"<p><a href=\"%s/\">Show all modules</a></p>\n</div>\n</section>\n",
		err->text, view->root);
}

void web_home(void *services, struct request *request, struct reply *reply)
{
	AUTO_VIEW struct view view = {0};
	AUTO_FREE char *parameters = search_parameters();
	json_auto_t *answer = NULL;
	struct err err;

	view_init(&view, services, request);
	if (parameters_check_page(&request->query, parameters, &err))
		answer = ask(&view, &err);
	if (!answer && err.code != ERR_BAD_REQUEST)
		return view_refuse(&view, &err, reply);
	view_begin(&view, *asked(&view) ? asked(&view) : "Larder: modules", SECTION_MODULES, "search.js");
	HTML(&view.html, "<div class=\"browse\">\n");
	if (answer) {
		write_filters(&view, answer);
		write_results(&view, answer);
	} else {
		write_refusal(&view, &err);
	}
	HTML(&view.html, "</div>\n");
	view_send(&view, reply, answer ? 200 : 400);
}
