/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows and columns of text on a command's output: aligned under headings for people, bare and separated by
 * tabs for programs. */
#ifndef SERVER_COMMAND_TEXT_TABLE_H
#define SERVER_COMMAND_TEXT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct text_table {
	size_t columns;
	char **cells; /* row by row; the first row of all has the headings */
	size_t count;
	size_t capacity;
	size_t *widths; /* of columns, as they were printed so far; NULL at first */
	size_t room;    /* what a line may take on a terminal; 0: as much as it needs */
	/* Bits of columns that give way first where there is not room for all. */
	unsigned elastic;
	bool begun; /* the headings have been printed, or left out */
};

/* Adds a cell, copied: first the headings, then row by row. Control characters become blanks. */
void text_table_add(struct text_table *table, const char *text);
void text_table_printf(struct text_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void text_table_add_row(struct text_table *table, const char *const *texts);

/* Makes text of strangers fit for a terminal: control characters (C0, DEL, C1), what turns the direction of
 * writing, and what is not UTF-8 become blanks. */
void text_table_blank_controls(char *text);

/* Prints what was added since it was last printed, and drops it; for_people is usually isatty(). For people
 * cells that have no room are cut, and end in "…". */
void text_table_print(struct text_table *table, FILE *out, bool for_people);

void text_table_finish(struct text_table *table);

#endif
