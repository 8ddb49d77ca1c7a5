/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/completion.h"

static const char head[] =
	"# fish completion for larder, as \"larder completion fish\" prints it.\n"
	"\n"
	"# Whether the command line has begun with these words.\n"
	"function __larder_begins\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -e words[1]\n"
	"\tfor i in (seq (count $argv))\n"
	"\t\ttest (count $words) -ge $i; and test \"$words[$i]\" = \"$argv[$i]\"; or return 1\n"
	"\tend\n"
	"end\n"
	"\n"
	"# Whether so many words stand before the one that is completed.\n"
	"function __larder_has\n"
	"\ttest (count (commandline -opc)) -eq $argv[1]\n"
	"end\n"
	"\n"
	"complete -c larder -f\n"
	"complete -c larder -n '__larder_has 1' -l help -d 'list the commands'\n"
	"complete -c larder -n '__larder_has 1' -l version -d 'tell which Larder this is'\n";

static void write_text(FILE *out, const char *text)
{
	completion_write_quoted(out, text, "\\", "\\'");
}

/* The option itself, behind where it may stand. */
static void write_option(FILE *out, const struct option_row *row)
{
	(void)fprintf(out, " -l %s", row->name);
	if (row->letter)
		(void)fprintf(out, " -s %c", row->letter);
	if (row->value && row->kind != OPTION_MAYBE)
		(void)fputs(completion_of_value(row) == COMPLETION_FILES ? " -r -F" : " -x", out);
	if (completion_of_value(row) == COMPLETION_FOLDERS)
		(void)fputs(" -a '(__fish_complete_directories (commandline -ct))'", out);
	if (completion_choices(row))
		(void)fprintf(out, " -a '%s'", completion_choices(row));
	(void)fputs(" -d ", out);
	write_text(out, row->help);
	(void)fputc('\n', out);
}

static bool is_of_all(const struct option_group *group, const struct option_row *row)
{
	return !group->forms && !row->forms;
}

/* Options that not every form takes stand with the words of those that do. */
static void write_named_options(
	FILE *out, const struct command *command, size_t form, const char *name, int length)
{
	OPTIONS_EACH(group, row, command->groups)
	{
		if (is_of_all(group, row) || !options_in_form(group, row, form))
			continue;
		(void)fprintf(
			out, "complete -c larder -n '__larder_begins %s %.*s'", command->name, length, name);
		write_option(out, row);
	}
}

/* "fills --recent": a form that begins with no word of its own. */
static bool is_of_others(
	const struct command *command, const struct option_group *group, const struct option_row *row)
{
	size_t length;

	for (size_t form = 0; command->forms[form]; form++) {
		if (!completion_named(command, form, &length) && options_in_form(group, row, form))
			return true;
	}
	return false;
}

static void write_forms(FILE *out, const struct command *command)
{
	for (size_t form = 0; command->forms[form]; form++) {
		size_t length;
		const char *name = completion_named(command, form, &length);

		if (!name)
			continue;
		(void)fprintf(out, "complete -c larder -n '__larder_has 2; and __larder_begins %s' -a %.*s\n",
			command->name, (int)length, name);
		write_named_options(out, command, form, name, (int)length);
	}
}

/* Where an option may not stand: behind the words of forms that do not take it. */
static void write_exceptions(FILE *out, const struct command *command, const struct option_group *group,
	const struct option_row *row)
{
	for (size_t form = 0; command->forms[form]; form++) {
		size_t length;
		const char *name = completion_named(command, form, &length);

		if (name && !options_in_form(group, row, form))
			(void)fprintf(
				out, "; and not __larder_begins %s %.*s", command->name, (int)length, name);
	}
}

static void write_options(FILE *out, const struct command *command)
{
	OPTIONS_EACH(group, row, command->groups)
	{
		if (!is_of_all(group, row) && !is_of_others(command, group, row))
			continue;
		(void)fprintf(out, "complete -c larder -n '__larder_begins %s", command->name);
		write_exceptions(out, command, group, row);
		(void)fputc('\'', out);
		write_option(out, row);
	}
}

static void write_words(FILE *out, const struct command *command, const struct command *const *commands)
{
	enum completion_kind kind = completion_of_words(command);

	if (kind == COMPLETION_FILES)
		(void)fprintf(out, "complete -c larder -n '__larder_begins %s' -F\n", command->name);
	for (; kind == COMPLETION_COMMANDS && *commands; commands++)
		(void)fprintf(out, "complete -c larder -n '__larder_has 2; and __larder_begins %s' -a %s\n",
			command->name, (*commands)->name);
}

void completion_write_fish(FILE *out, const struct command *const *commands)
{
	(void)fputs(head, out);
	for (const struct command *const *command = commands; *command; command++) {
		(void)fprintf(out, "complete -c larder -n '__larder_has 1' -a %s -d ", (*command)->name);
		write_text(out, (*command)->summary);
		(void)fputc('\n', out);
	}
	for (const struct command *const *command = commands; *command; command++) {
		(void)fprintf(out,
			"complete -c larder -n '__larder_begins %s' -l help -d 'tell more of it'\n",
			(*command)->name);
		write_options(out, *command);
		write_forms(out, *command);
		write_words(out, *command, commands);
	}
}
