/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/fill_rows.h"

#include <inttypes.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "server/web/facts.h"
#include "server/web/html_table.h"
#include "server/web/times.h"

static const struct {
	const char *state;
	const char *words;
} states[] = {
	{"waiting", "waiting for its turn"},
	{"transferring", "downloading"},
	{"verifying", "being checked"},
	{"kept", "stored"},
};

const char *fill_rows_state(const json_t *fill)
{
	const char *state = fact_text(fill, "state");

	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		if (strcmp(states[i].state, state) == 0)
			return states[i].words;
	}
	return state;
}

void fill_rows_write_name(struct view *view, const json_t *row)
{
	AUTO_FREE char *path =
		mem_printf("%s/%" PRId64, fact_text(row, "handle"), fact_number(row, "version"));

	HTML(&view->html, "<th scope=\"row\">");
	view_link(view, path);
	HTML(&view->html, "%s</a> <span class=\"format\">%s</span></th>", path, fact_text(row, "format"));
}

/* ---- those that run ---- */

static void write_bar(struct view *view, const json_t *fill)
{
	int64_t total = fact_number(fill, "total_bytes");

	if (total > 0)
		HTML(&view->html,
			"<progress max=\"%" PRId64 "\" value=\"%" PRId64
			"\" aria-label=\"Progress\"></progress>",
			total, fact_number(fill, "bytes"));
	else
		HTML(&view->html, "<progress aria-label=\"Progress\"></progress>");
}

static void write_bytes(struct view *view, const json_t *fill)
{
	int64_t total = fact_number(fill, "total_bytes");

	HTML(&view->html, "%s", number_size(fact_number(fill, "bytes")).text);
	if (total > 0)
		HTML(&view->html, " of %s", number_size(total).text);
}

static bool has_end(const json_t *fill)
{
	return json_is_integer(json_object_get(fill, "eta_s"));
}

void fill_rows_write_progress(struct view *view, const json_t *fill)
{
	write_bytes(view, fill);
	if (fact_number(fill, "rate") > 0)
		HTML(&view->html, ", %s/s", number_size(fact_number(fill, "rate")).text);
	if (has_end(fill))
		HTML(&view->html, ", %s left", times_span(fact_number(fill, "eta_s")).text);
}

static void write_running(struct view *view, const json_t *fill)
{
	HTML(&view->html, "<tr>");
	fill_rows_write_name(view, fill);
	HTML(&view->html, "<td data-label=\"Progress\">");
	write_bar(view, fill);
	write_bytes(view, fill);
	HTML(&view->html, "</td><td class=\"number\" data-label=\"Rate\">%s/s</td>",
		number_size(fact_number(fill, "rate")).text);
	HTML(&view->html, "<td class=\"number\" data-label=\"Left\">%s</td>",
		has_end(fill) ? times_span(fact_number(fill, "eta_s")).text : "");
	HTML(&view->html, "<td class=\"number\" data-label=\"Clients\">%" PRId64 "</td>",
		fact_number(fill, "waiters"));
	HTML(&view->html, "<td data-label=\"From\">%s</td><td data-label=\"State\">%s · ",
		fact_text(fill, "upstream"), fill_rows_state(fill));
	HTML(&view->html,
		"<a href=\"%s/-/fills/%" PRId64 "\">Cancel<span class=\"unseen\"> %s</span></a></td></tr>\n",
		view->root, fact_number(fill, "id"), fact_text(fill, "handle"));
}

void fill_rows_begin_running(struct view *view, const json_t *fills)
{
	const json_t *fill;
	size_t i;

	view_begin_section(view, "running", "Downloads from upstream");
	html_table_begin(
		view, &(struct html_table){.label = "Downloads from upstream",
			      .kind = "rows",
			      .body_id = "fills",
			      .columns = {"Module", "Progress", "Rate", "Left", "Clients", "From", "State"},
			      .numbers = 1 << 2 | 1 << 3 | 1 << 4});
	json_array_foreach((json_t *)fills, i, fill) write_running(view, fill);
	html_table_end(view);
	HTML(&view->html,
		"<p class=\"none\" id=\"no-fills\">Nothing is being downloaded. Unless the server is "
		"offline, "
		"that begins when a client asks for a module that is not stored here, or by <code>larder "
		"prefetch</code>.</p>\n");
}

/* ---- those that ended ---- */

static void write_ended(struct view *view, const json_t *fill)
{
	bool failed = *fact_text(fill, "detail") != '\0';

	HTML(&view->html, "<tr>");
	fill_rows_write_name(view, fill);
	HTML(&view->html,
		"<td data-label=\"Result\"><span class=\"change %s\">%s</span></td><td class=\"number\" "
		"data-label=\"Size\">%s</td><td class=\"number\" data-label=\"Ended\">",
		failed ? "removed" : "added", failed ? "failed" : "stored",
		number_size(fact_number(fill, "bytes")).text);
	times_write_ago(view, fact_text(fill, "ended_at"));
	HTML(&view->html, "</td><td data-label=\"Why\">%s</td></tr>\n", fact_text(fill, "detail"));
}

void fill_rows_write_ended(struct view *view, const json_t *fills)
{
	const json_t *fill;
	size_t i;

	view_begin_section(view, "ended", "Downloads that ended lately");
	html_table_begin(view, &(struct html_table){.label = "Downloads that ended lately",
				       .kind = "rows",
				       .body_id = "ended-fills",
				       .columns = {"Module", "Result", "Size", "Ended", "Why"},
				       .numbers = 1 << 2 | 1 << 3});
	json_array_foreach((json_t *)fills, i, fill) write_ended(view, fill);
	html_table_end(view);
	HTML(&view->html, "<p class=\"none\">None in the last ten minutes.</p>\n");
	view_end_section(view);
}
