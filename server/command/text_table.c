/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/text_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/command/terminal.h"

/* A name that is written backwards would look like another. */
static bool turns(uint32_t code)
{
	return code == 0x061C || (code >= 0x200E && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
	       (code >= 0x2066 && code <= 0x2069);
}

void text_table_blank_controls(char *text)
{
	uint32_t code;

	while (*text) {
		size_t length = utf8_decode(text, &code);

		if (length == 0 || utf8_is_control(code) || turns(code)) {
			length = length ? length : 1;
			memset(text, ' ', length);
		}
		text += length;
	}
}

void text_table_add(struct text_table *table, const char *text)
{
	char *cell = mem_dup(text);

	text_table_blank_controls(cell);
	MEM_GROW(table->cells, table->count, table->capacity);
	table->cells[table->count++] = cell;
}

void text_table_printf(struct text_table *table, const char *format, ...)
{
	AUTO_FREE char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		abort();
	va_end(arguments);
	text_table_add(table, text);
}

void text_table_add_row(struct text_table *table, const char *const *texts)
{
	for (size_t i = 0; i < table->columns; i++)
		text_table_add(table, texts[i]);
}

/* Of a cell, which is UTF-8. */
static size_t width(const char *text)
{
	size_t count = 0;
	uint32_t code;

	for (size_t step; *text; text += step) {
		step = utf8_decode(text, &code);
		count += terminal_width(code);
	}
	return count;
}

/* ---- columns ---- */

/* The widths that all cells would need. */
static void measure(const struct text_table *table, size_t *out_needed)
{
	memcpy(out_needed, table->widths, table->columns * sizeof *out_needed);
	for (size_t i = 0; i < table->count; i++) {
		size_t *widest = &out_needed[i % table->columns];
		size_t here = width(table->cells[i]);

		*widest = here > *widest ? here : *widest;
	}
}

/* Two blanks stand between columns. */
static size_t sum(const struct text_table *table, const size_t *widths)
{
	size_t total = 2 * (table->columns - 1);

	for (size_t i = 0; i < table->columns; i++)
		total += widths[i];
	return total;
}

/* Columns that may give way, and how far. */
struct giving {
	unsigned which;
	size_t least;
};

/* The widest of those that may still give way; NULL: none. */
static size_t *find_widest(const struct text_table *table, size_t *widths, struct giving giving)
{
	size_t *widest = NULL;

	for (size_t i = 0; i < table->columns; i++) {
		size_t least = table->widths[i] > giving.least ? table->widths[i] : giving.least;

		if ((giving.which & 1u << i) && widths[i] > least && (!widest || widths[i] > *widest))
			widest = &widths[i];
	}
	return widest;
}

static void narrow(const struct text_table *table, size_t *widths)
{
	const struct giving turns_to_give[] = {{table->elastic, 8}, {~0u, 8}, {~0u, 2}};

	for (size_t i = 0; i < table->columns; i++)
		widths[i] = widths[i] < table->room || !table->room ? widths[i] : table->room;
	for (size_t turn = 0; table->room && turn < sizeof turns_to_give / sizeof *turns_to_give; turn++) {
		size_t *widest;

		while (sum(table, widths) > table->room &&
			(widest = find_widest(table, widths, turns_to_give[turn])))
			--*widest;
	}
}

/* Columns never become narrower than they were: what is printed later stands under what was printed before.
 */
static void fit_columns(struct text_table *table)
{
	AUTO_FREE size_t *needed = mem_zero(table->columns, sizeof *needed);

	if (!table->widths)
		table->widths = mem_zero(table->columns, sizeof *table->widths);
	measure(table, needed);
	narrow(table, needed);
	memcpy(table->widths, needed, table->columns * sizeof *needed);
}

/* Ends the cell so that it fits, where it does not; what it then takes. */
static size_t print_cut(const char *cell, size_t room, FILE *out)
{
	const char *at = cell;
	size_t taken = width(cell);
	uint32_t code;

	if (taken <= room) {
		(void)fputs(cell, out);
		return taken;
	}
	taken = 1; /* what tells that it is cut */
	while (*at) {
		size_t step = utf8_decode(at, &code);
		size_t more = terminal_width(code);

		if (taken + more > room)
			break;
		taken += more;
		at += step;
	}
	(void)fprintf(out, "%.*s\u2026", (int)(at - cell), cell);
	return taken;
}

static void print_aligned(struct text_table *table, FILE *out)
{
	fit_columns(table);
	for (size_t i = 0; i < table->count; i++) {
		size_t column = i % table->columns;
		bool last = column + 1 == table->columns;
		size_t taken = print_cut(table->cells[i], table->widths[column], out);
		size_t padding = last ? 0 : table->widths[column] - taken + 2;

		(void)fprintf(out, "%*s%s", (int)padding, "", last ? "\n" : "");
	}
}

static void print_separated(const struct text_table *table, FILE *out)
{
	/* Programs know the headings. */
	for (size_t i = table->begun ? 0 : table->columns; i < table->count; i++)
		(void)fprintf(out, "%s%c", table->cells[i], (i + 1) % table->columns ? '\t' : '\n');
}

static void drop_cells(struct text_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	table->count = 0;
}

void text_table_print(struct text_table *table, FILE *out, bool for_people)
{
	if (for_people)
		print_aligned(table, out);
	else
		print_separated(table, out);
	drop_cells(table);
	table->begun = true;
}

void text_table_finish(struct text_table *table)
{
	drop_cells(table);
	free(table->cells);
	free(table->widths);
	*table = (struct text_table){0};
}
