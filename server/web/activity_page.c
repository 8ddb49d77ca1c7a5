/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/number.h"
#include "server/web/cards.h"
#include "server/web/day_chart.h"
#include "server/web/facts.h"
#include "server/web/fill_rows.h"
#include "server/web/html_table.h"
#include "server/web/passes_section.h"
#include "server/web/store_section.h"
#include "server/web/times.h"
#include "server/web/web.h"
#include "server/web/webhooks_section.h"

/* The script (static/activity.js) keeps what has an id up to date. */

enum { WANTS_SHOWN = 20, FILLS_ON_A_PAGE = 100 };

/* ---- tiles ---- */

static void begin_tile(struct view *view, const char *title, const char *id, const char *figure)
{
	HTML(&view->html, "<div class=\"tile\"><dt>%s</dt><dd><span class=\"figure\" id=\"%s\">%s</span>\n",
		title, id, figure);
}

static void write_hits(struct view *view, const json_t *activity)
{
	const json_t *history = json_object_get(activity, "history");
	const json_t *rate = json_object_get(activity, "hit_rate");
	char percent[16] = "–";

	if (json_is_number(rate))
		(void)snprintf(percent, sizeof percent, "%.1f %%", json_number_value(rate) * 100);
	begin_tile(view, "Answered from what is stored", "hit-rate", percent);
	day_chart_write(
		view, &(struct day_chart){"day-requests", "Requests for modules",
			      json_object_get(history, "hits"), json_object_get(history, "misses"), false});
	HTML(&view->html,
		"<span class=\"faint\"><span id=\"hits\">%s</span> stored already, <span "
		"id=\"misses\">%s</span> "
		"downloaded first</span></dd></div>\n",
		count_text(fact_number(activity, "hits")).text,
		count_text(fact_number(activity, "misses") + fact_number(activity, "collapsed")).text);
}

/* ---- the disk ---- */

struct room {
	int64_t stored;
	int64_t promised; /* to what runs; and what is unpacked, which gives way */
	int64_t all;
};

static struct room room_of(const json_t *disk)
{
	struct room room = {fact_number(disk, "cached_bytes"),
		fact_number(disk, "drafts_bytes") + fact_number(disk, "unpacked_bytes"),
		fact_number(disk, "max_bytes")};

	if (room.all == 0)
		room.all = room.stored + room.promised + fact_number(disk, "free_bytes");
	return room;
}

static void write_share(struct view *view, const char *id, const char *kind, int64_t bytes, int64_t all)
{
	char width[16];
	double share = all > 0 ? (double)bytes / (double)all : 0;

	(void)snprintf(width, sizeof width, "%.1f", share > 1 ? 100 : share * 100);
	HTML(&view->html, "<rect class=\"%s\" id=\"%s\" width=\"%s\" height=\"8\"/>", kind, id, width);
}

static void write_disk(struct view *view, const json_t *disk)
{
	const struct room room = room_of(disk);

	begin_tile(view, "Stored from upstreams", "cached", number_size(room.stored).text);
	HTML(&view->html, "<svg class=\"share\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" "
			  "aria-hidden=\"true\">"
			  "<rect class=\"ground\" width=\"100\" height=\"8\"/>");
	write_share(view, "disk-promised", "other", room.stored + room.promised, room.all);
	write_share(view, "disk-bar", "part", room.stored, room.all);
	HTML(&view->html, "</svg>\n<span class=\"faint\">of %s%s; <span id=\"promised\">%s</span> more ",
		number_size(room.all).text, fact_number(disk, "max_bytes") ? " allowed" : "",
		number_size(room.promised).text);
	HTML(&view->html,
		"promised to downloads or unpacked; <span id=\"free\">%s</span> free on the "
		"disk</span></dd></div>\n",
		number_size(fact_number(disk, "free_bytes")).text);
}

/* ---- bytes ---- */

static void write_saved(struct view *view, const json_t *activity)
{
	begin_tile(view, "Upstream traffic saved", "saved",
		number_size(fact_number(activity, "upstream_bytes_saved")).text);
	day_chart_write(
		view, &(struct day_chart){.id = "day-sent",
			      .label = "Given out",
			      .lower = json_object_get(json_object_get(activity, "history"), "sent_bytes"),
			      .in_bytes = true});
	HTML(&view->html,
		"<span class=\"faint\"><span id=\"sent\">%s</span> of modules given out</span></dd></div>\n",
		number_size(fact_number(activity, "sent_bytes")).text);
}

static void write_rate(struct view *view, const json_t *activity)
{
	AUTO_FREE char *rate = mem_printf("%s/s", number_size(fact_number(activity, "rate")).text);

	begin_tile(view, "Downloading from upstream now", "rate", rate);
	day_chart_write(view,
		&(struct day_chart){.id = "day-upstream",
			.label = "Downloaded from upstream",
			.lower = json_object_get(json_object_get(activity, "history"), "upstream_bytes"),
			.in_bytes = true});
	HTML(&view->html,
		"<span class=\"faint\"><span id=\"fetched\">%s</span> downloaded</span></dd></div>\n",
		number_size(fact_number(activity, "upstream_bytes")).text);
}

static void write_tiles(struct view *view, const json_t *activity)
{
	HTML(&view->html, "<dl class=\"tiles\">\n");
	write_hits(view, activity);
	write_saved(view, activity);
	write_rate(view, activity);
	write_disk(view, json_object_get(activity, "disk"));
	HTML(&view->html, "</dl>\n<p class=\"legend\">Sums since this server was started, ");
	times_write_ago(view, fact_text(activity, "started_at"));
	HTML(&view->html, ". Bars: the last 24 hours by the half-hour, now at the right.</p>\n");
}

/* ---- fills ---- */

static void write_fills(struct view *view, const json_t *activity)
{
	const json_t *fills = json_object_get(activity, "fills");
	int64_t total = fact_number(activity, "fills_total");

	fill_rows_begin_running(view, fills);
	HTML(&view->html,
		"<p class=\"raw\" id=\"more-fills\"%s><a href=\"%s/-/fills\">All <span "
		"id=\"fills-total\">%s</span> downloads</a></p>\n",
		total > (int64_t)json_array_size(fills) ? "" : " hidden", view->root, count_text(total).text);
	view_end_section(view);
}

/* ---- what came here last ---- */

static void write_recent_row(struct view *view, const json_t *row)
{
	HTML(&view->html, "<tr>");
	fill_rows_write_name(view, row);
	HTML(&view->html,
		"<td data-label=\"Source\">%s</td><td data-label=\"By\">%s</td><td "
		"class=\"number\" data-label=\"When\">",
		fact_text(row, "source"), fact_text(row, "published_by"));
	times_write_ago(view, fact_text(row, "at"));
	HTML(&view->html, "</td></tr>\n");
}

static void write_recent(struct view *view, const json_t *recent)
{
	const json_t *row;
	size_t i;

	view_begin_section(view, "latest", "New on this server");
	html_table_begin(view, &(struct html_table){.label = "New on this server",
				       .kind = "rows",
				       .body_id = "recent",
				       .columns = {"Module", "Source", "By", "When"},
				       .numbers = 1 << 3});
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
	fill_rows_write_name(view, want);
	HTML(&view->html,
		"<td class=\"number\" data-label=\"Times\">%s</td><td class=\"number\" data-label=\"Last\">",
		count_text(fact_number(want, "times")).text);
	times_write_ago(view, fact_text(want, "last_at"));
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
				       .kind = "rows",
				       .columns = {"Module", "Times", "Last"},
				       .numbers = 1 << 1 | 1 << 2});
	json_array_foreach(json_object_get(wants, "wants"), i, want) write_want(view, want);
	html_table_end(view);
	HTML(&view->html,
		"<p><a class=\"button\" href=\"%s/-/wants.txt\" download>Download the want list</a> %s in "
		"all; "
		"<code>larder prefetch --from wants.txt</code> downloads them where there is a way "
		"out.</p>\n",
		view->root, count_text(total).text);
	view_end_section(view);
}

static void write_activity(struct view *view, const json_t *activity)
{
	HTML(&view->html, "<div class=\"page\">\n<div class=\"bar\"><h1>Activity</h1>\n"
			  "<p class=\"live\" id=\"live\" role=\"status\">As of now; reload to look "
			  "again</p></div>\n");
	write_tiles(view, activity);
	write_fills(view, activity);
	fill_rows_write_ended(view, json_object_get(activity, "ended_fills"));
	store_section_write(view, json_object_get(activity, "store"));
	webhooks_section_write(view);
	passes_section_write(view, json_object_get(activity, "passes"));
	write_wants(view);
	write_recent(view, json_object_get(activity, "recent"));
	HTML(&view->html, "</div>\n");
}

void web_activity(void *services, struct request *request, struct reply *reply)
{
	AUTO_VIEW struct view view = {0};
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
	AUTO_VIEW struct view view = {0};
	json_auto_t *page = NULL;
	struct err err;

	view_init(&view, services, request);
	page = ask_page_of_fills(&view, &err);
	if (!page)
		return view_refuse(&view, &err, reply);
	view_begin(&view, "Downloads from upstream", SECTION_ACTIVITY, NULL);
	HTML(&view.html, "<div class=\"page\">\n<h1>%s running</h1>\n",
		count_text(fact_number(page, "total")).text);
	fill_rows_begin_running(&view, json_object_get(page, "fills"));
	view_end_section(&view);
	fill_rows_write_ended(&view, json_object_get(page, "recent"));
	cards_write_next(&view, "-/fills", page);
	HTML(&view.html, "</div>\n");
	view_send(&view, reply, 200);
}
