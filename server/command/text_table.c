/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/text_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"

void text_table_blank_controls(char *text)
{
	uint32_t code;

	while (*text) {
		size_t length = utf8_decode(text, &code);

		if (length == 0 || utf8_is_control(code)) {
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

/* Characters, as far as each takes one column: continuation bytes of UTF-8 take none. */
static size_t width(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xC0) != 0x80;
	return count;
}

/* Columns never become narrower: what is printed later stands under what was printed before. */
static void widen_columns(struct text_table *table)
{
	if (!table->widths)
		table->widths = mem_zero(table->columns, sizeof *table->widths);
	for (size_t i = 0; i < table->count; i++) {
		size_t *widest = &table->widths[i % table->columns];
		size_t here = width(table->cells[i]);

		*widest = here > *widest ? here : *widest;
	}
}

static void print_aligned(struct text_table *table, FILE *out)
{
	widen_columns(table);
	for (size_t i = 0; i < table->count; i++) {
		size_t column = i % table->columns;
		bool last = column + 1 == table->columns;
		size_t padding = last ? 0 : table->widths[column] - width(table->cells[i]) + 2;

		(void)fprintf(out, "%s%*s%s", table->cells[i], (int)padding, "", last ? "\n" : "");
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
