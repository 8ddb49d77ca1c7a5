/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/cards.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/number.h"
#include "common/uri.h"
#include "server/module/name.h"
#include "server/web/facts.h"
#include "server/web/marks.h"
#include "server/web/plain_words.h"
#include "server/web/relatives.h"
#include "server/web/times.h"

enum { TAGS_ON_A_CARD = 4 };

struct count_text count_text(int64_t number)
{
	struct count_text out = {""};
	char digits[24];
	size_t at = 0;
	int length = snprintf(digits, sizeof digits, "%" PRId64, number);

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			out.text[at++] = ',';
		out.text[at++] = digits[i];
	}
	return out;
}

/* ---- chips ---- */

/* Kinds that the list can be filtered by; others are told on the module's own page. */
static const struct chip_kind {
	const char *key;
	const char *title;
} format_kind = {"format", "Format"}, tag_kinds[] = {{"task", "Task"}, {"architecture", "Architecture"},
					      {"dataset", "Dataset"}, {"language", "Language"}};

static void write_chip(struct view *view, const struct chip_kind *kind, const char *value)
{
	HTML(&view->html, "<li><a class=\"chip %s\" title=\"%s: %s\" href=\"%s/?%s=", kind->key, kind->title,
		value, view->root, kind->key);
	html_query_value(&view->html, value);
	HTML(&view->html, "\">%s</a></li>\n", value);
}

static void write_tag_chips(struct view *view, const json_t *tags, size_t max)
{
	size_t count = 0;

	for (size_t kind = 0; kind < sizeof tag_kinds / sizeof *tag_kinds; kind++) {
		const json_t *values = json_object_get(tags, tag_kinds[kind].key);

		for (size_t i = 0; i < json_array_size(values); i++) {
			if (count++ < max)
				write_chip(
					view, &tag_kinds[kind], json_string_value(json_array_get(values, i)));
		}
	}
	if (count > max)
		HTML(&view->html, "<li class=\"faint\">and %" PRId64 " more</li>\n", (int64_t)(count - max));
}

void cards_write_tags(struct view *view, const json_t *tags, size_t max)
{
	HTML(&view->html, "<ul class=\"chips\">\n");
	write_tag_chips(view, tags, max);
	HTML(&view->html, "</ul>\n");
}

static void write_chips(struct view *view, const json_t *module)
{
	const json_t *format;
	size_t i;

	HTML(&view->html, "<ul class=\"chips\">\n");
	json_array_foreach(json_object_get(module, "formats"), i, format)
		write_chip(view, &format_kind, json_string_value(format));
	write_tag_chips(view, json_object_get(module, "tags"), TAGS_ON_A_CARD);
	HTML(&view->html, "</ul>\n");
}

/* ---- figures ---- */

/* When a catalogue was imported says nothing of what it lists. */
static bool is_dated(const json_t *module)
{
	return *fact_text(module, "updated_at") && strcmp(fact_text(module, "source"), "listed") != 0;
}

/* What is not known leaves its place empty, so that numbers stand below each other. */
static void write_figures(struct view *view, const json_t *module)
{
	int64_t downloads = fact_number(module, "downloads");
	int64_t size = fact_number(module, "size_bytes");
	bool cached = fact_true(module, "cached");

	HTML(&view->html, "<p class=\"figures\"><span>");
	if (downloads > 0)
		HTML(&view->html, "%s download%s", count_text(downloads).text, downloads == 1 ? "" : "s");
	HTML(&view->html, "</span> <span>%s</span> <span>version %" PRId64 "</span>\n",
		size > 0 ? number_size(size).text : "", fact_number(module, "latest_version"));
	HTML(&view->html, "<span class=\"state %s\">%s</span> <span>", cached ? "here" : "away",
		cached ? "stored here" : facts_away(view));
	if (is_dated(module))
		times_write_day(view, fact_text(module, "updated_at"));
	HTML(&view->html, "</span></p>\n");
}

/* Where a name may be broken over lines is the style sheet's to say. */
static void write_handle(struct view *view, const char *handle, const char *words)
{
	const char *slash = strchr(handle, '/');
	const struct publisher_name publisher = name_publisher(handle);
	bool is_whole = words && strchr(words, '/');

	view_link(view, handle);
	HTML(&view->html, "<span class=\"publisher\">");
	marks_write(&view->html, slash ? publisher.text : "", is_whole ? name_publisher(words).text : words);
	HTML(&view->html, "%s</span><span class=\"name\">", slash ? "/" : "");
	marks_write(&view->html, slash ? slash + 1 : handle, is_whole ? strchr(words, '/') + 1 : words);
	HTML(&view->html, "</span></a>");
}

static void write_card(struct view *view, const json_t *module, const char *words)
{
	AUTO_FREE char *description = plain_words(fact_text(module, "description"));

	HTML(&view->html, "<li class=\"card\">\n<h3>");
	write_handle(view, fact_text(module, "handle"), words);
	HTML(&view->html, "</h3>\n");
	if (*description) {
		HTML(&view->html, "<p class=\"about\">");
		marks_write(&view->html, description, words);
		HTML(&view->html, "</p>\n");
	}
	HTML(&view->html, "<div class=\"kinds\">\n");
	write_chips(view, module);
	relatives_write_line(view, module);
	HTML(&view->html, "</div>\n");
	write_figures(view, module);
	HTML(&view->html, "</li>\n");
}

void cards_write(struct view *view, const json_t *modules, const char *words)
{
	const json_t *module;
	size_t i;

	HTML(&view->html, "<ol class=\"cards\">\n");
	json_array_foreach((json_t *)modules, i, module) write_card(view, module, words);
	HTML(&view->html, "</ol>\n");
}

void cards_write_meant(struct view *view, const char *path, const json_t *list)
{
	const char *meant = fact_text(list, "did_you_mean");

	if (!*meant)
		return;
	HTML(&view->html, "<p class=\"hint\">Did you mean <a href=\"%s/", view->root);
	html_path(&view->html, path);
	HTML(&view->html, "?q=");
	html_query_value(&view->html, meant);
	HTML(&view->html, "\"><strong>%s</strong></a>?</p>\n", meant);
}

/* The API's cursor is the last parameter of its "next"; it is base64url. */
void cards_write_next(struct view *view, const char *path, const json_t *list)
{
	const char *next = fact_text(list, "next");
	const char *cursor = strstr(next, "cursor=");
	const struct query *query = &view->request->query;

	if (!cursor)
		return;
	HTML(&view->html, "<p class=\"more\"><a class=\"button\" rel=\"next\" href=\"%s/", view->root);
	html_path(&view->html, path);
	HTML(&view->html, "?");
	for (size_t i = 0; i < query->count; i++) {
		if (strcmp(query->parameters[i].name, "cursor") == 0)
			continue;
		html_query_value(&view->html, query->parameters[i].name);
		HTML(&view->html, "=");
		html_query_value(&view->html, query->parameters[i].value);
		HTML(&view->html, "&amp;");
	}
	HTML(&view->html, "%s\">Next page</a></p>\n", cursor);
}
