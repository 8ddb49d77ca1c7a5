/* SPDX-License-Identifier: Apache-2.0
 *
 * Sections of a page and the tables in them, which scroll by themselves where a screen is too narrow. */
#ifndef SERVER_WEB_TABLE_H
#define SERVER_WEB_TABLE_H

#include "server/web/view.h"

/* A part of the page that has a heading. */
void section_begin(struct view *view, const char *id, const char *title);
void section_end(struct view *view);

enum { TABLE_COLUMNS_MAX = 8 };

struct table {
	const char *label;   /* what it is a table of, for those who cannot see it */
	const char *kind;    /* a class of the style sheet; NULL: none */
	const char *body_id; /* how scripts find its rows; NULL: they do not */
	const char *columns[TABLE_COLUMNS_MAX + 1];
};

/* A table without a caption, up to its first row. */
void table_begin(struct view *view, const struct table *table);
void table_end(struct view *view);

/* The same in two steps, for a caption between them and for more than one body. */
void table_open(struct view *view, const struct table *table);
void table_head(struct view *view, const struct table *table);
void table_close(struct view *view);

/* A body of rows that belong together. */
void table_begin_group(struct view *view, const struct table *table, const char *title);
void table_end_group(struct view *view);

#endif
