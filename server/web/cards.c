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
#include "server/web/relatives.h"

enum { TAGS_ON_A_CARD = 8 };

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

static void write_time(struct view *view, const char *time, size_t length)
{
	char text[sizeof "2026-11-21 01:02"] = "";

	(void)snprintf(text, length + 1, "%s", time);
	if (text[strcspn(text, "T")])
		text[strcspn(text, "T")] = ' ';
	HTML(&view->html, "<time datetime=\"%s\">%s</time>", time, text);
}

void cards_write_day(struct view *view, const char *time)
{
	write_time(view, time, strlen("2026-11-21"));
}

void cards_write_minute(struct view *view, const char *time)
{
	write_time(view, time, strlen("2026-11-21 01:02"));
}

static void write_tag(struct view *view, const char *kind, const char *value)
{
	HTML(&view->html, "<li><a class=\"chip\" href=\"%s/?%s=", view->root, kind);
	html_query_value(&view->html, value);
	HTML(&view->html, "\">%s</a></li>\n", value);
}

/* Kinds that the list can be filtered by; others are told on the module's own page. */
static const char *const tag_kinds[] = {"task", "architecture", "dataset", "language"};

void cards_write_tags(struct view *view, const json_t *tags, size_t max)
{
	size_t count = 0;

	HTML(&view->html, "<ul class=\"chips\">\n");
	for (size_t kind = 0; kind < sizeof tag_kinds / sizeof *tag_kinds; kind++) {
		const json_t *values = json_object_get(tags, tag_kinds[kind]);

		for (size_t i = 0; i < json_array_size(values); i++) {
			if (count++ < max)
				write_tag(
					view, tag_kinds[kind], json_string_value(json_array_get(values, i)));
		}
	}
	if (count > max)
		HTML(&view->html, "<li class=\"faint\">and %" PRId64 " more</li>\n", (int64_t)(count - max));
	HTML(&view->html, "</ul>\n");
}

static void write_formats(struct view *view, const json_t *module)
{
	const json_t *format;
	size_t i;

	json_array_foreach(json_object_get(module, "formats"), i, format)
		HTML(&view->html, "<span class=\"format\">%s</span>\n", json_string_value(format));
}

/* When a catalogue was imported says nothing of what it lists. */
static bool is_dated(const json_t *module)
{
	return *fact_text(module, "updated_at") && strcmp(fact_text(module, "source"), "listed") != 0;
}

static void write_figures(struct view *view, const json_t *module)
{
	int64_t downloads = fact_number(module, "downloads");
	bool cached = fact_true(module, "cached");

	HTML(&view->html, "<p class=\"figures\">");
	write_formats(view, module);
	HTML(&view->html, "<span class=\"state %s\">%s</span>\n", cached ? "here" : "away",
		cached ? "on this server" : "fetched at first use");
	if (fact_number(module, "size_bytes") > 0)
		HTML(&view->html, "<span>%s</span>\n", number_size(fact_number(module, "size_bytes")).text);
	if (downloads > 0)
		HTML(&view->html, "<span>%s download%s</span>\n", count_text(downloads).text,
			downloads == 1 ? "" : "s");
	HTML(&view->html, "<span>version %" PRId64 "</span>\n", fact_number(module, "latest_version"));
	if (is_dated(module))
		cards_write_day(view, fact_text(module, "updated_at"));
	HTML(&view->html, "</p>\n");
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
	HTML(&view->html, "<li class=\"card\">\n<h3>");
	write_handle(view, fact_text(module, "handle"), words);
	HTML(&view->html, "</h3>\n");
	if (*fact_text(module, "description")) {
		HTML(&view->html, "<p class=\"about\">");
		marks_write(&view->html, fact_text(module, "description"), words);
		HTML(&view->html, "</p>\n");
	}
	if (json_object_size(json_object_get(module, "tags")) > 0)
		cards_write_tags(view, json_object_get(module, "tags"), TAGS_ON_A_CARD);
	relatives_write_line(view, module);
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
