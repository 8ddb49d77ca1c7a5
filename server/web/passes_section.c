/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/passes_section.h"

#include "common/number.h"
#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/html_table.h"
#include "server/web/times.h"

static void write_row(struct view *view, const char *what, const json_t *sums)
{
	if (!json_is_object(sums))
		return;
	HTML(&view->html, "<tr><th scope=\"row\">%s</th><td class=\"number\" data-label=\"Begun\">", what);
	times_write_ago(view, fact_text(sums, "started_at"));
	HTML(&view->html, "</td><td class=\"number\" data-label=\"Ended\">");
	if (json_is_string(json_object_get(sums, "ended_at")))
		times_write_ago(view, fact_text(sums, "ended_at"));
	else
		HTML(&view->html, "–");
	HTML(&view->html,
		"</td><td class=\"number\" data-label=\"Files\">%s</td><td class=\"number\" "
		"data-label=\"Size\">%s</td><td class=\"number\" data-label=\"Damaged\">%s</td></tr>\n",
		count_text(fact_number(sums, "blobs")).text, number_size(fact_number(sums, "bytes")).text,
		count_text(fact_number(sums, "damaged")).text);
}

void passes_section_write(struct view *view, const json_t *passes)
{
	const json_t *scrub = json_object_get(passes, "scrub");
	const json_t *verify = json_object_get(passes, "verify");

	if (!json_is_object(scrub) && !json_is_object(verify))
		return;
	view_begin_section(view, "passes", "Held against their digests");
	html_table_begin(view, &(struct html_table){.label = "Held against their digests",
				       .kind = "rows",
				       .columns = {"By", "Begun", "Ended", "Files", "Size", "Damaged"},
				       .numbers = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5});
	write_row(view, "scrub, now", json_object_get(scrub, "running"));
	write_row(view, "scrub", json_object_get(scrub, "last"));
	write_row(view, "larder verify, not whole", json_object_get(verify, "running"));
	write_row(view, "larder verify", json_object_get(verify, "last"));
	html_table_end(view);
	view_end_section(view);
}
