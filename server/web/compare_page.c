/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/uri.h"
#include "server/http/problem.h"
#include "server/module/name.h"
#include "server/registry/mirror.h"
#include "server/web/cards.h"
#include "server/web/differences.h"
#include "server/web/facts.h"
#include "server/web/module_sections.h"
#include "server/web/web.h"

/* The two that are asked for. */
struct pair {
	int64_t from;
	int64_t to;
};

/* Nothing differs from itself: the page says so, and is no refusal. */
static bool is_same(const struct pair *pair)
{
	return pair->from == pair->to;
}

static void write_title(struct view *view, const char *handle, const struct pair *pair)
{
	const struct publisher_name publisher = name_publisher(handle);
	const char *name = handle + strlen(publisher.text);

	name += *name == '/';
	HTML(&view->html, "<header class=\"title\">\n");
	view_begin_crumbs(view, "/", "Modules");
	view_crumb(view, publisher.text, publisher.text);
	view_crumb(view, handle, name);
	view_end_crumbs(view);
	if (is_same(pair))
		HTML(&view->html, "<h1>%s: two versions compared</h1>\n</header>\n", name);
	else
		HTML(&view->html, "<h1>%s: version %" PRId64 " and version %" PRId64 "</h1>\n</header>\n",
			name, pair->from, pair->to);
}

static void write_pair(struct view *view, const json_t *module, const struct pair *pair)
{
	write_title(view, fact_text(module, "handle"), pair);
	module_sections_write_comparing(view, module, pair->from, pair->to);
}

/* ---- what cannot be compared ---- */

static bool may_come(const struct view *view, const struct name *name)
{
	struct outlook outlook;
	struct err err;

	return mirror_consider(view->services->mirror, name, &outlook, &err) &&
	       (outlook.prospect == PROSPECT_FETCH || outlook.prospect == PROSPECT_COLLAPSES);
}

static void offer_fetching(struct view *view, const struct name *name)
{
	const struct format_row *format = &formats[name->format];
	AUTO_FREE char *command =
		name->format == FORMAT_TF_HUB
			? mem_printf("larder prefetch --server %s %s", view->url, name_path(name).text)
			: mem_printf("larder prefetch --server %s '%s?%s=%s'", view->url,
				  name_path(name).text, format->query_key, format->query_value);
	AUTO_FREE char *label = mem_printf("Store version %" PRId64 " here", name->version);

	view_code(view, label, command);
}

static const char *asked_format(const struct view *view)
{
	const char *format = query_find(&view->request->query, "format");

	return format && *format ? format : NULL;
}

/* How those of the two that are not here may come. */
static void write_ways(struct view *view, const char *handle, const struct pair *pair)
{
	const int64_t versions[] = {pair->from, pair->to};
	bool any = false;

	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
		struct name name = {.version = versions[i]};

		(void)snprintf(name.handle, sizeof name.handle, "%s", handle);
		if (asked_format(view) && !format_parse(asked_format(view), &name.format))
			return;
		if (!may_come(view, &name))
			continue;
		HTML(&view->html, "%s", any ? "" : "<p>If an upstream has it, it comes here by:</p>\n");
		offer_fetching(view, &name);
		any = true;
	}
}

/* What was never here cannot be compared; other pairs may be. */
static void write_refusal(
	struct view *view, const json_t *module, const struct pair *pair, const struct err *err)
{
	write_pair(view, module, pair);
	HTML(&view->html, "<div class=\"notice\">\n<p>");
	view_write_detail(view, err->text);
	HTML(&view->html, "</p>\n");
	if (err->code == ERR_NOT_FOUND)
		write_ways(view, fact_text(module, "handle"), pair);
	HTML(&view->html, "</div>\n");
}

/* The version that is asked for, or else one counted from the end of those that there are. */
static bool choose(const struct view *view, const char *key, const json_t *versions, size_t from_the_end,
	int64_t *out, struct err *err)
{
	const char *asked = query_find(&view->request->query, key);
	size_t count = json_array_size(versions);

	*out = json_integer_value(json_array_get(versions, count < from_the_end ? 0 : count - from_the_end));
	return !asked || !*asked || (number_parse(asked, out) && *out > 0) ||
	       err_set(err, ERR_BAD_REQUEST, "The parameter \"%s\" must be a version, such as 2.", key);
}

static bool choose_pair(const struct view *view, const json_t *module, struct pair *out, struct err *err)
{
	const json_t *versions = json_object_get(module, "versions");

	return choose(view, "from", versions, 2, &out->from, err) &&
	       choose(view, "to", versions, 1, &out->to, err);
}

static json_t *find_module(const struct view *view, struct err *err)
{
	const char *handle = view->request->rest;
	json_auto_t *module = facts_ask(view, ask_described, &(struct ask){.rest = handle}, err);

	if (module && !json_object_get(module, "versions")) {
		(void)err_set(err, ERR_NOT_FOUND,
			"Two versions are compared: ask for %.200s without its number.", handle);
		return NULL;
	}
	return TAKE(module);
}

static json_t *compare(
	const struct view *view, const json_t *module, const struct pair *pair, struct err *err)
{
	const char *format = asked_format(view);
	AUTO_FREE char *rest =
		mem_printf("%s/%" PRId64 "/%" PRId64, fact_text(module, "handle"), pair->from, pair->to);
	struct query query = {0};

	if (format)
		(void)query_set(&query, "format", format);
	return facts_ask(view, ask_diff, &(struct ask){.rest = rest, .query = &query}, err);
}

static void write_same(struct view *view, const json_t *module, const struct pair *pair)
{
	const json_t *versions = json_object_get(module, "versions");
	size_t count = json_array_size(versions);
	int64_t last = json_integer_value(json_array_get(versions, count - 1));

	write_title(view, fact_text(module, "handle"), pair);
	HTML(&view->html, "<p>A version is compared with another one: with itself it has no differences. ");
	if (count < 2)
		HTML(&view->html, "This module has only one version that can be compared.</p>\n");
	else
		HTML(&view->html, "Choose two:</p>\n");
	if (count >= 2)
		module_sections_write_comparing(view, module,
			pair->to == last ? json_integer_value(json_array_get(versions, count - 2)) : pair->to,
			last);
}

static void write_page(struct view *view, const json_t *module, const struct pair *pair, const json_t *diff,
	const struct err *err)
{
	view_begin(view, fact_text(module, "handle"), SECTION_NONE, NULL);
	HTML(&view->html, "<div class=\"page\">\n");
	if (is_same(pair)) {
		write_same(view, module, pair);
	} else if (diff) {
		write_pair(view, module, pair);
		differences_write(view, diff);
	} else {
		write_refusal(view, module, pair, err);
	}
	HTML(&view->html, "</div>\n");
}

void web_compare(void *services, struct request *request, struct reply *reply)
{
	AUTO_VIEW struct view view = {0};
	json_auto_t *module = NULL;
	json_auto_t *diff = NULL;
	struct pair pair;
	struct err err;

	view_init(&view, services, request);
	if (!view_takes(&view, "from to format", reply))
		return;
	module = find_module(&view, &err);
	if (!module || !choose_pair(&view, module, &pair, &err))
		return view_refuse(&view, &err, reply);
	diff = is_same(&pair) ? NULL : compare(&view, module, &pair, &err);
	if (!diff && !is_same(&pair))
		problem_reply(reply, &err);
	write_page(&view, module, &pair, diff, &err);
	view_send(&view, reply, diff || is_same(&pair) ? 200 : reply->status);
}
