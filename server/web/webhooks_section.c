/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/webhooks_section.h"

#include <string.h>

#include "common/own.h"
#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/html_table.h"
#include "server/web/times.h"

enum { WEBHOOKS_SHOWN = 16 };

/* What is wrong, where something is. */
static void write_trouble(struct view *view, const json_t *webhook)
{
	int64_t lost = fact_number(webhook, "given_up") + fact_number(webhook, "dropped");

	HTML(&view->html, "<td data-label=\"Trouble\">");
	if (*fact_text(webhook, "failed_at") && strcmp(fact_text(webhook, "state"), "active") != 0)
		HTML(&view->html, "%s", fact_text(webhook, "last_error"));
	if (lost > 0)
		HTML(&view->html, "%s%s lost", *fact_text(webhook, "last_error") ? " · " : "",
			count_text(lost).text);
	HTML(&view->html, "</td>");
}

static void write_webhook(struct view *view, const json_t *webhook)
{
	const char *delivered_at = fact_text(webhook, "delivered_at");
	bool active = strcmp(fact_text(webhook, "state"), "active") == 0;

	HTML(&view->html,
		"<tr><th scope=\"row\">%s</th><td>%s</td><td data-label=\"State\"><span class=\"change "
		"%s\">%s</span>"
		"</td><td class=\"number\" data-label=\"Waiting\">%s</td><td class=\"number\" "
		"data-label=\"Delivered\">%s</td><td data-label=\"Last\">",
		fact_text(webhook, "name"), fact_text(webhook, "url"), active ? "added" : "removed",
		fact_text(webhook, "state"), count_text(fact_number(webhook, "pending")).text,
		count_text(fact_number(webhook, "delivered")).text);
	if (*delivered_at)
		times_write_ago(view, delivered_at);
	HTML(&view->html, "</td>");
	write_trouble(view, webhook);
	HTML(&view->html, "</tr>\n");
}

void webhooks_section_write(struct view *view)
{
	struct err err;
	json_auto_t *list = facts_ask(view, ask_webhooks, &(struct ask){.limit = WEBHOOKS_SHOWN}, &err);
	const json_t *webhook;
	size_t i;

	if (fact_number(list, "total") == 0)
		return;
	view_begin_section(view, "webhooks", "Webhooks");
	html_table_begin(view,
		&(struct html_table){.label = "Webhooks",
			.kind = "rows",
			.columns = {"Name", "Receiver", "State", "Waiting", "Delivered", "Last", "Trouble"},
			.numbers = 1 << 3 | 1 << 4});
	json_array_foreach(json_object_get(list, "webhooks"), i, webhook) write_webhook(view, webhook);
	html_table_end(view);
	view_end_section(view);
}
