/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/number.h"
#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/html_table.h"
#include "server/web/web.h"
#include "server/web/webhooks_section.h"

/* The script (static/activity.js) keeps what has an id up to date. */

enum { WANTS_SHOWN = 20, FILLS_ON_A_PAGE = 100 };

/* ---- tiles ---- */

static void write_bar(struct view *view, const char *id, double share)
{
	char width[16];

	(void)snprintf(width, sizeof width, "%.1f", share < 0 ? 0 : share > 1 ? 100 : share * 100);
	HTML(&view->html,
		"<svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect "
		"class=\"ground\" width=\"100\" height=\"8\" rx=\"1\"/><rect class=\"part\" id=\"%s\" "
		"width=\"%s\" height=\"8\" rx=\"1\"/></svg>\n",
		id, width);
}

static void write_hits(struct view *view, const json_t *activity)
{
	const json_t *rate = json_object_get(activity, "hit_rate");
	char percent[16] = "no requests yet";

	if (json_is_number(rate))
		(void)snprintf(percent, sizeof percent, "%.1f %%", json_number_value(rate) * 100);
	HTML(&view->html,
		"<div class=\"tile\"><dt>Hit rate</dt><dd><span class=\"figure\" id=\"hit-rate\">%s</span>\n",
		percent);
	write_bar(view, "hit-bar", json_number_value(rate));
	HTML(&view->html,
		"<span class=\"faint\"><span id=\"hits\">%s</span> hits, <span id=\"misses\">%s</span> "
		"misses since the start</span></dd></div>\n",
		count_text(fact_number(activity, "hits")).text,
		count_text(fact_number(activity, "misses")).text);
}

static void write_disk(struct view *view, const json_t *disk)
{
	int64_t cached = fact_number(disk, "cached_bytes") + fact_number(disk, "drafts_bytes");
	int64_t limit = fact_number(disk, "max_bytes");
	int64_t room = limit ? limit : cached + fact_number(disk, "free_bytes");

	HTML(&view->html,
		"<div class=\"tile\"><dt>Mirrored on disk</dt><dd><span class=\"figure\" "
		"id=\"cached\">%s</span>\n",
		number_size(cached).text);
	write_bar(view, "disk-bar", room > 0 ? (double)cached / (double)room : 0);
	HTML(&view->html, "<span class=\"faint\">of %s; <span id=\"free\">%s</span> free</span></dd></div>\n",
		number_size(room).text, number_size(fact_number(disk, "free_bytes")).text);
}

static void write_saved(struct view *view, const json_t *activity)
{
	int64_t sent = fact_number(activity, "sent_bytes");
	int64_t upstream = fact_number(activity, "upstream_bytes");

	HTML(&view->html,
		"<div class=\"tile\"><dt>Upstream traffic saved</dt><dd><span class=\"figure\" "
		"id=\"saved\">%s</span>\n",
		number_size(fact_number(activity, "upstream_bytes_saved")).text);
	write_bar(view, "saved-bar", sent > 0 ? 1 - (double)upstream / (double)sent : 0);
	HTML(&view->html,
		"<span class=\"faint\"><span id=\"sent\">%s</span> given out, <span id=\"fetched\">%s</span> "
		"fetched</span></dd></div>\n",
		number_size(sent).text, number_size(upstream).text);
}

/* Drawn by the script, which sees the rates go by. */
static void write_rate(struct view *view)
{
	HTML(&view->html,
		"<div class=\"tile\"><dt>Coming in</dt><dd><span class=\"figure\" id=\"rate\">0 B/s</span>\n"
		"<svg class=\"chart\" viewBox=\"0 0 59 20\" preserveAspectRatio=\"none\" "
		"aria-hidden=\"true\"><polygon class=\"area\" id=\"rate-area\" points=\"0,20 "
		"59,20\"/><polyline class=\"line\" id=\"rate-line\" points=\"0,20 59,20\"/></svg>\n"
		"<span class=\"faint\">over the last minute</span></dd></div>\n");
}

/* ---- fills ---- */

static void write_name(struct view *view, const json_t *row)
{
	AUTO_FREE char *path =
		mem_printf("%s/%" PRId64, fact_text(row, "handle"), fact_number(row, "version"));

	HTML(&view->html, "<th scope=\"row\">");
	view_link(view, path);
	HTML(&view->html, "%s</a> <span class=\"format\">%s</span></th>", path, fact_text(row, "format"));
}

static void write_fill(struct view *view, const json_t *fill)
{
	int64_t bytes = fact_number(fill, "bytes");
	int64_t total = fact_number(fill, "total_bytes");

	HTML(&view->html, "<tr>");
	write_name(view, fill);
	if (total > 0)
		HTML(&view->html,
			"<td><progress max=\"%" PRId64 "\" value=\"%" PRId64
			"\" aria-label=\"Progress\"></progress></td>",
			total, bytes);
	else
		HTML(&view->html, "<td><progress aria-label=\"Progress\"></progress></td>");
	HTML(&view->html, "<td>%s</td>", number_size(bytes).text);
	HTML(&view->html, "<td>%s/s</td><td>%" PRId64 "</td><td>%s</td><td>%s</td></tr>\n",
		number_size(fact_number(fill, "rate")).text, fact_number(fill, "waiters"),
		fact_text(fill, "upstream"), fact_text(fill, "state"));
}

static void begin_fills(struct view *view, const json_t *fills)
{
	const json_t *fill;
	size_t i;

	view_begin_section(view, "running", "Running fills");
	html_table_begin(view,
		&(struct html_table){.label = "Running fills",
			.body_id = "fills",
			.columns = {"Module", "Progress", "Bytes", "Rate", "Waiting", "Upstream", "State"}});
	json_array_foreach((json_t *)fills, i, fill) write_fill(view, fill);
	html_table_end(view);
	HTML(&view->html,
		"<p class=\"none\" id=\"no-fills\">Nothing is being fetched. Unless the server is offline, "
		"a fill begins when a client asks for a module that is not here, or by <code>larder "
		"prefetch</code>.</p>\n");
}

static void write_fills(struct view *view, const json_t *activity)
{
	const json_t *fills = json_object_get(activity, "fills");
	int64_t total = fact_number(activity, "fills_total");

	begin_fills(view, fills);
	HTML(&view->html,
		"<p class=\"raw\" id=\"more-fills\"%s><a href=\"%s/-/fills\">All <span "
		"id=\"fills-total\">%s</span> fills</a></p>\n",
		total > (int64_t)json_array_size(fills) ? "" : " hidden", view->root, count_text(total).text);
	view_end_section(view);
}

static void write_ended_fill(struct view *view, const json_t *fill)
{
	bool failed = *fact_text(fill, "detail") != '\0';

	HTML(&view->html, "<tr>");
	write_name(view, fill);
	HTML(&view->html, "<td><span class=\"change %s\">%s</span></td><td>%s</td><td>",
		failed ? "removed" : "added", failed ? "failed" : "kept",
		number_size(fact_number(fill, "bytes")).text);
	cards_write_minute(view, fact_text(fill, "ended_at"));
	HTML(&view->html, "</td><td>%s</td></tr>\n", fact_text(fill, "detail"));
}

static void write_ended(struct view *view, const json_t *fills)
{
	const json_t *fill;
	size_t i;

	view_begin_section(view, "ended", "Fills that ended lately");
	html_table_begin(view, &(struct html_table){.label = "Fills that ended lately",
				       .body_id = "ended-fills",
				       .columns = {"Module", "Result", "Bytes", "At (UTC)", "Why"}});
	json_array_foreach((json_t *)fills, i, fill) write_ended_fill(view, fill);
	html_table_end(view);
	HTML(&view->html, "<p class=\"none\">None since this server started.</p>\n");
	view_end_section(view);
}

/* ---- what came here last ---- */

static void write_recent_row(struct view *view, const json_t *row)
{
	HTML(&view->html, "<tr>");
	write_name(view, row);
	HTML(&view->html, "<td>%s</td><td>%s</td><td>", fact_text(row, "source"),
		fact_text(row, "published_by"));
	cards_write_minute(view, fact_text(row, "at"));
	HTML(&view->html, "</td></tr>\n");
}

static void write_recent(struct view *view, const json_t *recent)
{
	const json_t *row;
	size_t i;

	view_begin_section(view, "latest", "New on this server");
	html_table_begin(view, &(struct html_table){.label = "New on this server",
				       .body_id = "recent",
				       .columns = {"Module", "Source", "Published by", "At (UTC)"}});
	json_array_foreach((json_t *)recent, i, row) write_recent_row(view, row);
	html_table_end(view);
	HTML(&view->html,
		"<p class=\"none\">Nothing yet. <a href=\"%s/\">The list of modules</a> tells how to "
		"begin.</p>\n",
		view->root);
	view_end_section(view);
}

/* ---- what was asked for offline ---- */

static void write_want(struct view *view, const json_t *want)
{
	HTML(&view->html, "<tr>");
	write_name(view, want);
	HTML(&view->html, "<td class=\"number\">%s</td><td>", count_text(fact_number(want, "times")).text);
	cards_write_minute(view, fact_text(want, "last_at"));
	HTML(&view->html, "</td></tr>\n");
}

/* Only where there is something to tell: most servers have a way out. */
static void write_wants(struct view *view)
{
	struct err err;
	json_auto_t *wants = facts_ask(view, ask_wants, &(struct ask){.limit = WANTS_SHOWN}, &err);
	int64_t total = fact_number(wants, "total");
	const json_t *want;
	size_t i;

	if (total == 0)
		return;
	view_begin_section(view, "wants", "Asked for offline");
	html_table_begin(view, &(struct html_table){.label = "Asked for offline",
				       .columns = {"Module", "Times", "Last (UTC)"}});
	json_array_foreach(json_object_get(wants, "wants"), i, want) write_want(view, want);
	html_table_end(view);
	HTML(&view->html,
		"<p><a class=\"button\" href=\"%s/-/wants.txt\" download>Download the want list</a> %s in "
		"all; "
		"<code>larder prefetch --from wants.txt</code> fetches them where there is a way out.</p>\n",
		view->root, count_text(total).text);
	view_end_section(view);
}

static void write_activity(struct view *view, const json_t *activity)
{
	HTML(&view->html, "<div class=\"page\">\n<h1>Activity</h1>\n"
			  "<p class=\"live\" id=\"live\" role=\"status\">As of now; reload to look "
			  "again.</p>\n<dl class=\"tiles\">\n");
	write_hits(view, activity);
	write_disk(view, json_object_get(activity, "disk"));
	write_saved(view, activity);
	write_rate(view);
	HTML(&view->html, "</dl>\n");
	write_fills(view, activity);
	write_ended(view, json_object_get(activity, "ended_fills"));
	webhooks_section_write(view);
	write_wants(view);
	write_recent(view, json_object_get(activity, "recent"));
	HTML(&view->html, "</div>\n");
}

void web_activity(void *services, struct request *request, struct reply *reply)
{
	AUTO_VIEW struct view view;
	json_auto_t *activity = NULL;
	struct err err;

	view_init(&view, services, request);
	activity = facts_ask(&view, ask_activity, &(struct ask){0}, &err);
	if (!activity)
		return view_refuse(&view, &err, reply);
	view_begin(&view, "Activity", SECTION_ACTIVITY, "activity.js");
	write_activity(&view, activity);
	view_send(&view, reply, 200);
}

/* ---- all fills ---- */

static json_t *ask_page_of_fills(const struct view *view, struct err *err)
{
	const char *cursor = query_find(&view->request->query, "cursor");
	struct query query = {0};

	if (cursor && *cursor)
		(void)query_set(&query, "cursor", cursor);
	return facts_ask(view, ask_fills, &(struct ask){.query = &query, .limit = FILLS_ON_A_PAGE}, err);
}

void web_fills(void *services, struct request *request, struct reply *reply)
{
	AUTO_VIEW struct view view;
	json_auto_t *page = NULL;
	struct err err;

	view_init(&view, services, request);
	page = ask_page_of_fills(&view, &err);
	if (!page)
		return view_refuse(&view, &err, reply);
	view_begin(&view, "Fills", SECTION_ACTIVITY, NULL);
	HTML(&view.html, "<div class=\"page\">\n<h1>Fills: %s running</h1>\n",
		count_text(fact_number(page, "total")).text);
	begin_fills(&view, json_object_get(page, "fills"));
	view_end_section(&view);
	write_ended(&view, json_object_get(page, "recent"));
	cards_write_next(&view, "-/fills", page);
	HTML(&view.html, "</div>\n");
	view_send(&view, reply, 200);
}
