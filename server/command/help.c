/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/help.h"

#include <string.h>

#include "common/mem.h"
#include "common/own.h"

const char help_of_larder[] = "Larder mirrors, keeps and serves machine-learning modules.";

enum { WIDTH = 80, OPTION_COLUMN = 24, NAME_COLUMN = 17 };

/* ---- wrapping ---- */

struct wrapping {
	FILE *out;
	int column; /* where the next word would begin */
	int indent; /* of lines that follow */
	bool begun; /* a word stands in this line already */
};

static void add_word(struct wrapping *wrapping, const char *word, size_t length)
{
	if (wrapping->begun && wrapping->column + 1 + (int)length > WIDTH) {
		(void)fprintf(wrapping->out, "\n%*s", wrapping->indent, "");
		wrapping->column = wrapping->indent;
	} else if (wrapping->begun) {
		(void)fputc(' ', wrapping->out);
		wrapping->column++;
	}
	(void)fwrite(word, 1, length, wrapping->out);
	wrapping->column += (int)length;
	wrapping->begun = true;
}

/* One line of a text, to the column and below it. */
static void add_line(struct wrapping *wrapping, const char *line, size_t length)
{
	size_t blanks = strspn(line, " ");

	(void)fprintf(wrapping->out, "%*s", (int)blanks, "");
	wrapping->column += (int)blanks;
	wrapping->indent += (int)blanks;
	while (blanks < length) {
		size_t word = strcspn(line + blanks, " \n");

		add_word(wrapping, line + blanks, word);
		blanks += word + (line[blanks + word] == ' ');
	}
}

/* Begins at this column, which it is at. */
static void print_text(FILE *out, const char *text, int column)
{
	for (const char *line = text;; line++) {
		struct wrapping wrapping = {out, column, column, false};
		size_t length = strcspn(line, "\n");

		add_line(&wrapping, line, length);
		(void)fputc('\n', out);
		line += length;
		if (!*line)
			return;
		if (line[1] != '\n')
			(void)fprintf(out, "%*s", column, "");
	}
}

/* ---- a command ---- */

/* Whether an option stands in a form's own words: "PATH -o FILE" has -o. */
static bool is_word_of(const char *words, const struct option_row *row)
{
	AUTO_FREE char *name = mem_printf("--%s", row->name);
	const char letter[] = {'-', row->letter, '\0'};

	for (const char *word = words; *word; word += strspn(word, " ")) {
		size_t length = strcspn(word, " ");

		if ((length == strlen(name) && strncmp(word, name, length) == 0) ||
			(row->letter && length == 2 && strncmp(word, letter, 2) == 0))
			return true;
		word += length;
	}
	return false;
}

bool help_form_takes(const struct command *command, size_t form, const struct option_group *group,
	const struct option_row *row)
{
	return options_in_form(group, row, form) && !is_word_of(command->forms[form], row);
}

char *help_spell(const struct option_row *row)
{
	const char letter[] = {row->letter, '\0'};
	const char *dashes = row->letter ? "-" : "--";
	const char *name = row->letter ? letter : row->name;

	if (row->kind == OPTION_MAYBE)
		return mem_printf("%s%s[=%s]", dashes, name, row->value);
	return mem_printf("%s%s%s%s", dashes, name, row->value ? " " : "", row->value ? row->value : "");
}

/* Two that exclude each other stand in the same brackets. */
static const struct option_row *add_option(struct wrapping *wrapping, const struct option_row *row)
{
	AUTO_FREE char *first = help_spell(row);
	AUTO_FREE char *second = row->or_next ? help_spell(row + 1) : NULL;
	AUTO_FREE char *text = second ? mem_printf("[%s | %s]", first, second) : mem_printf("[%s]", first);

	add_word(wrapping, text, strlen(text));
	return row + row->or_next;
}

static void print_form(FILE *out, const struct command *command, size_t form)
{
	int indent = fprintf(out, "%s larder %s", form == 0 ? "usage:" : "      ", command->name);
	struct wrapping wrapping = {out, indent, indent + 1, true};
	const char *words = command->forms[form];

	if (*words)
		add_word(&wrapping, words, strlen(words));
	OPTIONS_EACH(group, row, command->groups)
	{
		if (help_form_takes(command, form, group, row))
			row = add_option(&wrapping, row);
	}
	(void)fputc('\n', out);
}

static void print_option(FILE *out, const struct option_row *row)
{
	const char letter[] = {'-', row->letter, ',', ' ', '\0'};
	const char *begin = row->kind == OPTION_MAYBE ? "[=" : " ";
	int column = fprintf(out, "  %s--%s%s%s%s", row->letter ? letter : "", row->name,
		row->value ? begin : "", row->value ? row->value : "", row->kind == OPTION_MAYBE ? "]" : "");

	if (column + 2 > OPTION_COLUMN)
		column = fprintf(out, "\n") - 1;
	(void)fprintf(out, "%*s", OPTION_COLUMN - column, "");
	print_text(out, row->help, OPTION_COLUMN);
}

/* Below an empty line, which stands there already where there are no options. */
static void print_statuses(FILE *out, const struct command *command)
{
	AUTO_FREE char *text = mem_printf("Exit status: 0 done, 1 failed, 2 called wrongly.%s%s",
		command->statuses ? " " : "", command->statuses ? command->statuses : "");

	if (command->groups[0].rows)
		(void)fputc('\n', out);
	print_text(out, text, 0);
}

void help_print(FILE *out, const struct command *command)
{
	for (size_t form = 0; command->forms[form]; form++)
		print_form(out, command, form);
	(void)fputc('\n', out);
	print_text(out, command->remarks, 0);
	(void)fputc('\n', out);
	OPTIONS_EACH(group, row, command->groups)
	print_option(out, row);
	print_statuses(out, command);
}

/* ---- all of them ---- */

static void print_summary(FILE *out, const char *name, const char *summary)
{
	(void)fprintf(out, "  %-*s", NAME_COLUMN - 2, name);
	print_text(out, summary, NAME_COLUMN);
}

void help_print_commands(FILE *out, const struct command *const *commands)
{
	(void)fprintf(out, "%s\n\nusage: larder COMMAND [OPTION]...\n\n", help_of_larder);
	for (; *commands; commands++)
		print_summary(out, (*commands)->name, (*commands)->summary);
	(void)fputs("\n\"larder help COMMAND\" or \"larder COMMAND --help\" tells more.\n"
		    "Exit status: 0 done, 1 failed, 2 called wrongly.\n",
		out);
}
