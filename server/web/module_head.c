/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/module_head.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "server/module/name.h"
#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/plain_words.h"
#include "server/web/relatives.h"

enum { SWITCHED_MAX = 8 };

static const char *first_tag(const json_t *version, const char *kind)
{
	const json_t *values = json_object_get(json_object_get(version, "tags"), kind);
	const char *value = json_string_value(json_array_get(values, 0));

	return value ? value : "";
}

static bool is_active(const json_t *version)
{
	return strcmp(fact_text(version, "state"), "active") == 0;
}

/* ---- which version ---- */

/* The newest ones; the column beside has more. */
static void write_switch(struct view *view, const json_t *module, int64_t current)
{
	const json_t *row;
	size_t i;

	if (fact_number(module, "total") < 2)
		return;
	HTML(&view->html, "<details class=\"switch\">\n<summary>%s versions</summary>\n<ul>\n",
		count_text(fact_number(module, "total")).text);
	json_array_foreach(json_object_get(module, "version_list"), i, row)
	{
		int64_t number = fact_number(row, "version");
		AUTO_FREE char *path = mem_printf("%s/%" PRId64, fact_text(module, "handle"), number);

		if (i == SWITCHED_MAX)
			break;
		HTML(&view->html, "<li>");
		view_link(view, path);
		HTML(&view->html, "Version %" PRId64 "</a>%s</li>\n", number,
			number == current ? " (this one)" : "");
	}
	HTML(&view->html, "<li><a href=\"#versions\">All of them</a></li>\n</ul>\n</details>\n");
}

static void write_newer(struct view *view, const json_t *module, const json_t *version)
{
	int64_t latest = fact_number(module, "latest_version");
	int64_t current = fact_number(version, "version");
	AUTO_FREE char *path = mem_printf("%s/%" PRId64, fact_text(module, "handle"), latest);

	if (latest <= current)
		return;
	HTML(&view->html, "<p class=\"newer\">");
	view_link(view, path);
	HTML(&view->html, "Version %" PRId64 " is newer</a>", latest);
	if (json_array_size(json_object_get(version, "artifacts")) > 0)
		HTML(&view->html,
			" · <a href=\"%s/-/compare/%s?from=%" PRId64 "&amp;to=%" PRId64 "\">compare</a>",
			view->root, fact_text(module, "handle"), current, latest);
	HTML(&view->html, "</p>\n");
}

/* ---- what it is ---- */

static void write_formats(struct view *view, const json_t *module, const json_t *version)
{
	const json_t *artifacts = json_object_get(version, "artifacts");
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *)artifacts, i, one)
		HTML(&view->html, "<span class=\"format\">%s</span>\n", fact_text(one, "format"));
	if (json_array_size(artifacts) > 0)
		return;
	json_array_foreach(json_object_get(module, "formats"), i, one)
		HTML(&view->html, "<span class=\"format\">%s</span>\n", json_string_value(one));
}

/* As rows of lists tell it of what can be had. */
static void write_state(struct view *view, const json_t *version)
{
	const char *state = fact_text(version, "state");

	if (!is_active(version))
		HTML(&view->html, "<span class=\"state stop\">%s</span>\n", state);
	else if (facts_is_stored(version))
		HTML(&view->html, "<span class=\"state here\">stored here</span>\n");
	else
		HTML(&view->html, "<span class=\"state away\">%s</span>\n",
			facts_unavailable(version) ? "not stored here" : "downloaded at first use");
}

static void write_badges(struct view *view, const json_t *module, const json_t *version)
{
	const char *license = first_tag(version, "license");

	HTML(&view->html, "<p class=\"badges\">\n");
	write_state(view, version);
	write_formats(view, module, version);
	if (*license) {
		HTML(&view->html, "<a class=\"chip\" href=\"%s/?license=", view->root);
		html_query_value(&view->html, license);
		HTML(&view->html, "\">%s</a>\n", license);
	}
	HTML(&view->html, "</p>\n");
}

/* ---- what to do with it ---- */

/* Of what is listed only, and can be fetched, nobody knows the size yet. */
static void write_listed_downloads(struct view *view, const json_t *module, const json_t *version)
{
	const json_t *name;
	enum format format;
	size_t i;

	if (json_object_get(version, "unavailable"))
		return;
	json_array_foreach(json_object_get(module, "formats"), i, name)
	{
		if (format_parse(json_string_value(name), &format))
			HTML(&view->html,
				"<li><a class=\"button\" href=\"%s/%s/%" PRId64
				"?%s=%s\" download>Download %s</a></li>\n",
				view->root, fact_text(version, "handle"), fact_number(version, "version"),
				formats[format].query_key, formats[format].query_value, formats[format].name);
	}
}

static void write_downloads(struct view *view, const json_t *module, const json_t *version)
{
	const json_t *artifact;
	size_t i;

	if (json_array_size(json_object_get(version, "artifacts")) == 0)
		return write_listed_downloads(view, module, version);
	json_array_foreach(json_object_get(version, "artifacts"), i, artifact)
	{
		const char *query = strchr(fact_text(artifact, "url"), '?');

		HTML(&view->html,
			"<li><a class=\"button\" href=\"%s/%s/%" PRId64 "%s\" download>Download %s</a> "
			"<span class=\"faint\">%s</span></li>\n",
			view->root, fact_text(version, "handle"), fact_number(version, "version"),
			query ? query : "", fact_text(artifact, "format"),
			number_size(fact_number(artifact, "size_bytes")).text);
	}
}

/* A tag is a stranger's word: it leads to Colab or nowhere. */
static void write_colab(struct view *view, const json_t *version)
{
	static const char colab[] = "https://colab.research.google.com/";
	const char *url = first_tag(version, "colab");

	if (strncmp(url, colab, strlen(colab)) == 0)
		HTML(&view->html, "<li><a href=\"%s\" rel=\"noopener noreferrer\">Open in Colab</a></li>\n",
			url);
}

static void write_actions(struct view *view, const json_t *module, const json_t *version)
{
	AUTO_FREE char *url = mem_printf(
		"%s/%s/%" PRId64, view->url, fact_text(version, "handle"), fact_number(version, "version"));

	if (!is_active(version))
		return;
	HTML(&view->html, "<ul class=\"actions\">\n");
	write_downloads(view, module, version);
	write_colab(view, version);
	HTML(&view->html, "</ul>\n");
	view_code(view, "URL", url);
}

static void write_section_links(struct view *view, const struct module_head *head)
{
	bool has_artifacts = json_array_size(json_object_get(head->version, "artifacts")) > 0;
	const struct {
		bool is_there;
		const char *id;
		const char *name;
	} rows[] = {{head->has_code, "use", "Use it"}, {head->has_signatures, "signatures", "Signatures"},
		{head->has_documentation, "documentation", "Documentation"},
		{has_artifacts, "artifacts", "Artifacts"}, {true, "versions", "Versions"}};

	HTML(&view->html, "<nav class=\"sections\" aria-label=\"On this page\">\n");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].is_there)
			HTML(&view->html, "<a href=\"#%s\">%s</a>\n", rows[i].id, rows[i].name);
	}
	HTML(&view->html, "</nav>\n");
}

void module_head_write(struct view *view, const struct module_head *head)
{
	const json_t *version = head->version;
	const char *handle = fact_text(version, "handle");
	const struct publisher_name publisher = name_publisher(handle);
	const char *name = handle + strlen(publisher.text);
	AUTO_FREE char *description = plain_words(fact_text(version, "description"));

	HTML(&view->html, "<header class=\"title\">\n");
	view_begin_crumbs(view, "/", "Modules");
	view_crumb(view, publisher.text, publisher.text);
	view_end_crumbs(view);
	HTML(&view->html, "<h1>%s <span class=\"faint\">version %" PRId64 "</span></h1>\n",
		name + (*name == '/'), fact_number(version, "version"));
	write_switch(view, head->module, fact_number(version, "version"));
	write_newer(view, head->module, version);
	if (*description)
		HTML(&view->html, "<p class=\"about\">%s</p>\n", description);
	write_badges(view, head->module, version);
	cards_write_tags(view, json_object_get(version, "tags"), TAGS_IN_A_HEAD);
	relatives_write_panels(view, head->module, version);
	write_actions(view, head->module, version);
	write_section_links(view, head);
	HTML(&view->html, "</header>\n");
}
