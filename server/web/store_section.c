/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/store_section.h"

#include <inttypes.h>

#include "common/number.h"
#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/html.h"
#include "server/web/html_table.h"
#include "server/web/times.h"

/* ---- requests ---- */

static void write_kind(struct view *view, const json_t *row)
{
	int64_t count = fact_number(row, "requests");

	HTML(&view->html,
		"<tr><th scope=\"row\">%s</th><td class=\"number\" data-label=\"Requests\">%s</td><td "
		"class=\"number\" data-label=\"Mean time\">",
		fact_text(row, "kind"), count_text(count).text);
	if (count > 0)
		HTML(&view->html, "%" PRId64 " ms", fact_number(row, "waited_ms") / count);
	HTML(&view->html, "</td></tr>\n");
}

static void write_requests(struct view *view, const json_t *requests)
{
	const json_t *row;
	size_t i;

	html_table_begin(view, &(struct html_table){.label = "Requests to the store",
				       .kind = "rows",
				       .body_id = "store-requests",
				       .columns = {"Request", "Requests", "Mean time"},
				       .numbers = 1 << 1 | 1 << 2});
	json_array_foreach((json_t *)requests, i, row) write_kind(view, row);
	html_table_end(view);
}

static void write_bound(struct view *view, const json_t *row, int64_t before)
{
	const json_t *bound = json_object_get(row, "within_ms");

	HTML(&view->html, "<tr><th scope=\"row\">");
	if (json_is_integer(bound))
		HTML(&view->html, "within %" PRId64 " ms", (int64_t)json_integer_value(bound));
	else
		HTML(&view->html, "later");
	HTML(&view->html, "</th><td class=\"number\" data-label=\"Requests\">%s</td></tr>\n",
		count_text(fact_number(row, "requests") - before).text);
}

static void write_latency(struct view *view, const json_t *latency)
{
	const json_t *row;
	int64_t before = 0;
	size_t i;

	html_table_begin(view, &(struct html_table){.label = "How long they took",
				       .kind = "rows",
				       .body_id = "store-latency",
				       .columns = {"Over", "Requests"},
				       .numbers = 1 << 1});
	json_array_foreach((json_t *)latency, i, row)
	{
		write_bound(view, row, before);
		before = fact_number(row, "requests");
	}
	html_table_end(view);
}

static void write_figure(struct view *view, const char *words, const char *id, int64_t figure)
{
	HTML(&view->html, "%s <span id=\"%s\">%s</span>", words, id, count_text(figure).text);
}

static void write_state(struct view *view, const json_t *store)
{
	const json_t *leases = json_object_get(store, "leases");

	HTML(&view->html,
		"<p>The bucket can be read: <span id=\"store-reads\">%s</span>, written: <span "
		"id=\"store-writes\">%s</span>.\n",
		fact_true(store, "reads") ? "yes" : "no", fact_true(store, "writes") ? "yes" : "no");
	write_figure(view, "Requests that were asked again:", "store-retries", fact_number(store, "retries"));
	write_figure(view, ", that failed:", "store-failures", fact_number(store, "failures"));
	HTML(&view->html, ".</p>\n<p>");
	write_figure(view, "Downloads that this node makes for all now:", "leases-held",
		fact_number(leases, "held"));
	write_figure(view, ", that it takes from another now:", "leases-following",
		fact_number(leases, "following"));
	write_figure(view, "; taken over from another:", "leases-taken", fact_number(leases, "taken_over"));
	write_figure(view, ", lost to another:", "leases-lost", fact_number(leases, "lost"));
	HTML(&view->html, ".</p>\n");
}

/* ---- other nodes ---- */

static void write_peer(struct view *view, const json_t *peer)
{
	HTML(&view->html,
		"<tr><th scope=\"row\">%s</th><td class=\"number\" data-label=\"Asked\">%s</td><td "
		"class=\"number\" data-label=\"Bytes\">%s</td><td class=\"number\" data-label=\"Last\">",
		fact_text(peer, "node"), count_text(fact_number(peer, "followed")).text,
		number_size(fact_number(peer, "received_bytes")).text);
	times_write_ago(view, fact_text(peer, "last_at"));
	HTML(&view->html, "</td><td data-label=\"Last failure\">");
	if (json_is_string(json_object_get(peer, "last_error"))) {
		HTML(&view->html, "%s, ", fact_text(peer, "last_error"));
		times_write_ago(view, fact_text(peer, "last_error_at"));
	}
	HTML(&view->html, "</td></tr>\n");
}

static void write_peers(struct view *view, const json_t *peers)
{
	const json_t *peer;
	size_t i;

	html_table_begin(view, &(struct html_table){.label = "Nodes that this one took bytes from",
				       .kind = "rows",
				       .body_id = "peers",
				       .columns = {"Node", "Asked", "Bytes", "Last", "Last failure"},
				       .numbers = 1 << 1 | 1 << 2 | 1 << 3});
	json_array_foreach((json_t *)peers, i, peer) write_peer(view, peer);
	html_table_end(view);
}

void store_section_write(struct view *view, const json_t *store)
{
	if (!json_is_object(store))
		return;
	view_begin_section(view, "store", "Shared with other nodes");
	write_state(view, store);
	write_requests(view, json_object_get(store, "requests"));
	write_latency(view, json_object_get(store, "latency"));
	write_peers(view, json_object_get(store, "peers"));
	view_end_section(view);
}
