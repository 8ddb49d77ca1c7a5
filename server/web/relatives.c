/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/relatives.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "common/mem.h"
#include "server/module/name.h"
#include "server/web/facts.h"

/* SHOWN: of a family whose members strangers name. */
enum { SHOWN = 24 };

static const struct label {
	enum format format;
	const char *label;
} labels[] = {{FORMAT_TF_HUB, "TensorFlow"}, {FORMAT_TFJS, "TF.js"}, {FORMAT_TFLITE, "TF Lite"},
	{FORMAT_CORAL, "Coral"}, {FORMAT_ARCHIVE, "Archive"}};

enum { LABELS = sizeof labels / sizeof *labels };

/* What nothing is known of is what deployments are made from. */
static bool comes_as(const json_t *relative, enum format format)
{
	const json_t *names = json_object_get(relative, "formats");
	const json_t *name;
	size_t i;

	json_array_foreach((json_t *)names, i, name)
	{
		if (strcmp(json_string_value(name), formats[format].name) == 0)
			return true;
	}
	return json_array_size(names) == 0 && format == FORMAT_TF_HUB;
}

static int64_t count_as(const json_t *relatives, enum format format)
{
	const json_t *relative;
	int64_t count = 0;
	size_t i;

	json_array_foreach((json_t *)relatives, i, relative) count += comes_as(relative, format);
	return count;
}

/* ---- in a list ---- */

/* One leads to its page, several to where they are told apart. */
static void write_format(struct view *view, const json_t *module, const struct label *label)
{
	const json_t *deployments = json_object_get(module, "deployments");
	int64_t count = count_as(deployments, label->format);
	const json_t *deployment = NULL;
	size_t i = 0;

	while (count == 1 && !comes_as(deployment = json_array_get(deployments, i), label->format))
		i++;
	HTML(&view->html, "<a class=\"chip\" href=\"%s/", view->root);
	html_path(&view->html, fact_text(deployment ? deployment : module, "handle"));
	if (!deployment)
		HTML(&view->html, "#format-%s", formats[label->format].name);
	HTML(&view->html, "\">%s", label->label);
	if (count > 1)
		HTML(&view->html, " <span class=\"count\">%" PRId64 "</span>", count);
	HTML(&view->html, "</a>\n");
}

void relatives_write_line(struct view *view, const json_t *module)
{
	const json_t *deployments = json_object_get(module, "deployments");
	int64_t more = fact_number(module, "deployment_count") - (int64_t)json_array_size(deployments);

	if (json_array_size(deployments) == 0)
		return;
	HTML(&view->html, "<p class=\"relatives\">Also as\n");
	for (size_t i = 0; i < LABELS; i++) {
		if (count_as(deployments, labels[i].format) > 0)
			write_format(view, module, &labels[i]);
	}
	if (more > 0) {
		HTML(&view->html, "<a href=\"%s/?parent_model=", view->root);
		html_query_value(&view->html, fact_text(module, "handle"));
		HTML(&view->html, "\">and %" PRId64 " more</a>\n", more);
	}
	HTML(&view->html, "</p>\n");
}

/* ---- on a page ---- */

static json_t *own_formats(const json_t *module, const json_t *version)
{
	const json_t *artifacts = json_object_get(version, "artifacts");
	const json_t *artifact;
	json_t *names = json_array();
	size_t i;

	if (json_array_size(artifacts) == 0)
		json_array_extend(names, json_object_get(module, "formats"));
	json_array_foreach((json_t *)artifacts, i, artifact)
		json_array_append(names, json_object_get(artifact, "format"));
	return names;
}

static bool is_same(const json_t *a, const json_t *b)
{
	return fact_number(a, "version") == fact_number(b, "version") &&
	       strcmp(fact_text(a, "handle"), fact_text(b, "handle")) == 0;
}

/* What it is a deployment of comes first, or else it itself; then all deployments of that. */
static json_t *list_family(const struct view *view, const json_t *module, const json_t *version)
{
	json_t *parent = json_object_get(version, "parent");
	AUTO_FREE char *path =
		mem_printf("%s/%" PRId64, fact_text(parent, "handle"), fact_number(parent, "version"));
	json_t *self = json_pack("{s:O, s:O, s:o}", "handle", json_object_get(version, "handle"), "version",
		json_object_get(version, "version"), "formats", own_formats(module, version));
	json_t *family = json_array();
	json_auto_t *others = NULL;
	const json_t *other;
	struct err err;
	size_t i;

	if (json_is_object(parent)) {
		json_array_append(family, parent);
		others = facts_ask(view, ask_deployments, &(struct ask){.rest = path}, &err);
	} else {
		json_array_append(family, self);
		others = json_incref(json_object_get(version, "deployments"));
	}
	json_array_foreach(others, i, other)
		json_array_append(family, is_same(other, version) ? self : (json_t *)other);
	json_decref(self);
	return family;
}

static void write_download(struct view *view, const char *path, enum format format)
{
	HTML(&view->html, " <a href=\"%s/", view->root);
	html_path(&view->html, path);
	HTML(&view->html, "?%s=%s\" download>Download<span class=\"unseen\"> %s</span></a>",
		formats[format].query_key, formats[format].query_value, path);
}

static void write_relative(
	struct view *view, const json_t *relative, const json_t *version, const enum format *format)
{
	AUTO_FREE char *path =
		mem_printf("%s/%" PRId64, fact_text(relative, "handle"), fact_number(relative, "version"));

	HTML(&view->html, "<li>");
	if (is_same(relative, version)) {
		HTML(&view->html, "<span aria-current=\"page\">%s</span>", path);
	} else {
		view_link(view, path);
		HTML(&view->html, "%s</a>", path);
	}
	if (format)
		write_download(view, path, *format);
	HTML(&view->html, "</li>\n");
}

static int64_t count_of(const json_t *family, const struct label *label)
{
	return label ? count_as(family, label->format) : (int64_t)json_array_size(family);
}

/* label NULL: all of them. */
static bool has_place(const json_t *relative, const struct label *label)
{
	return !label || comes_as(relative, label->format);
}

/* Whether the version whose page this is is among those that a panel shows. */
static bool shows_own(const json_t *family, const json_t *version, const struct label *label)
{
	const json_t *relative;
	size_t i, shown = 0;

	json_array_foreach((json_t *)family, i, relative)
	{
		if (has_place(relative, label) && shown++ < SHOWN && is_same(relative, version))
			return true;
	}
	return false;
}

static void write_panel(
	struct view *view, const json_t *family, const json_t *version, const struct label *label, bool open)
{
	const json_t *relative;
	size_t i, shown = 0;
	int64_t count = count_of(family, label);

	if (count == 0)
		return;
	HTML(&view->html, "<div class=\"panel%s\" id=\"format-%s\">\n<h3>%s", open ? " open" : "",
		label ? formats[label->format].name : "all", label ? label->label : "All");
	if (count > 1)
		HTML(&view->html, " <span class=\"count\">%" PRId64 "</span>", count);
	HTML(&view->html, "</h3>\n<ul>\n");
	json_array_foreach((json_t *)family, i, relative)
	{
		if (has_place(relative, label) && shown++ < SHOWN)
			write_relative(view, relative, version, label ? &label->format : NULL);
	}
	if (shown > SHOWN)
		HTML(&view->html, "<li>and %" PRId64 " more</li>\n", (int64_t)(shown - SHOWN));
	HTML(&view->html, "</ul>\n</div>\n");
}

/* Of the panels that are not empty, the one that a reader finds open: with this version, or else the first.
 */
static size_t find_open(const json_t *family, const json_t *version)
{
	size_t first = LABELS;

	for (size_t i = LABELS; i-- > 0;) {
		if (count_of(family, &labels[i]) > 0)
			first = i;
	}
	for (size_t i = first; i < LABELS; i++) {
		if (shows_own(family, version, &labels[i]))
			return i;
	}
	return first;
}

void relatives_write_panels(struct view *view, const json_t *module, const json_t *version)
{
	json_auto_t *family = list_family(view, module, version);
	size_t kinds = 0, open = find_open(family, version);

	if (json_array_size(family) < 2)
		return;
	HTML(&view->html, "<section class=\"family\" aria-labelledby=\"formats\">\n"
			  "<h2 id=\"formats\">Formats of this model</h2>\n"
			  "<div class=\"panels\" data-tabs=\"Formats\">\n");
	for (size_t i = 0; i < LABELS; i++) {
		kinds += count_of(family, &labels[i]) > 0;
		write_panel(view, family, version, &labels[i], i == open);
	}
	if (kinds > 1)
		write_panel(view, family, version, NULL, false);
	HTML(&view->html, "</div>\n</section>\n");
}
