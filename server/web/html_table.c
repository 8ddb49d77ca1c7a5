/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/html_table.h"

void html_table_open(struct view *view, const struct html_table *table)
{
	HTML(&view->html, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"%s\">\n<table",
		table->label);
	if (table->kind)
		HTML(&view->html, " class=\"%s\"", table->kind);
	HTML(&view->html, ">\n");
}

void html_table_head(struct view *view, const struct html_table *table)
{
	HTML(&view->html, "<thead><tr>");
	for (size_t i = 0; table->columns[i]; i++) {
		HTML(&view->html, "<th scope=\"col\"");
		if (table->numbers >> i & 1)
			HTML(&view->html, " class=\"number\"");
		HTML(&view->html, ">%s</th>", table->columns[i]);
	}
	HTML(&view->html, "</tr></thead>\n");
}

void html_table_close(struct view *view)
{
	HTML(&view->html, "</table>\n</div>\n");
}

/* A body without rows has to be wholly empty: the style sheet hides its table then. */
void html_table_begin(struct view *view, const struct html_table *table)
{
	html_table_open(view, table);
	html_table_head(view, table);
	HTML(&view->html, "<tbody");
	if (table->body_id)
		HTML(&view->html, " id=\"%s\"", table->body_id);
	HTML(&view->html, ">");
}

void html_table_end(struct view *view)
{
	HTML(&view->html, "</tbody>\n");
	html_table_close(view);
}

void html_table_begin_group(struct view *view, const struct html_table *table, const char *title)
{
	int columns = 0;

	while (table->columns[columns])
		columns++;
	HTML(&view->html, "<tbody>\n<tr class=\"group\"><th colspan=\"%d\" scope=\"rowgroup\">%s</th></tr>\n",
		columns, title);
}

void html_table_end_group(struct view *view)
{
	HTML(&view->html, "</tbody>\n");
}
