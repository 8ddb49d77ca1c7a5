/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables in a page, which scroll by themselves where a screen is too narrow. */
#ifndef SERVER_WEB_HTML_TABLE_H
#define SERVER_WEB_HTML_TABLE_H

#include "server/web/view.h"

enum { HTML_TABLE_COLUMNS_MAX = 8 };

struct html_table {
	const char *label;   /* what it is a table of, for those who cannot see it */
	const char *kind;    /* a class of the style sheet; NULL: none */
	const char *body_id; /* how scripts find its rows; NULL: they do not */
	const char *columns[HTML_TABLE_COLUMNS_MAX + 1];
	unsigned numbers; /* the columns of numbers, which stand to the right: a bit each, the first has the
			     lowest */
};

/* A table without a caption, up to its first row. */
void html_table_begin(struct view *view, const struct html_table *table);
void html_table_end(struct view *view);

/* The same in two steps, for a caption between them and for more than one body. */
void html_table_open(struct view *view, const struct html_table *table);
void html_table_head(struct view *view, const struct html_table *table);
void html_table_close(struct view *view);

/* A body of rows that belong together. */
void html_table_begin_group(struct view *view, const struct html_table *table, const char *title);
void html_table_end_group(struct view *view);

#endif
