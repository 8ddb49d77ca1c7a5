/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/completion.h"

/* Of "--format=tflite" bash makes three words. What follows gathers what may stand there. */
static const char head[] =
	"# bash completion for larder, as \"larder completion bash\" prints it.\n"
	"\n"
	"_larder()\n"
	"{\n"
	"\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} equals=\n"
	"\tlocal kind=words words= options= values=\n"
	"\n"
	"\tCOMPREPLY=()\n"
	"\tif [[ $word == = ]]; then\n"
	"\t\tword= equals=yes\n"
	"\telif [[ $before == = ]] && ((COMP_CWORD > 1)); then\n"
	"\t\tbefore=${COMP_WORDS[COMP_CWORD - 2]} equals=yes\n"
	"\tfi\n";

static const char tail[] = "\tif [[ $kind == words && $word == -* ]]; then\n"
			   "\t\tkind=values values=\"$options --help\"\n"
			   "\telif [[ $kind == words ]]; then\n"
			   "\t\tkind=$words\n"
			   "\tfi\n"
			   "\tcase $kind in\n"
			   "\tvalues) mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$word\") ;;\n"
			   "\tfiles) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
			   "\tfolders) mapfile -t COMPREPLY < <(compgen -d -- \"$word\") ;;\n"
			   "\tesac\n"
			   "\tif [[ $kind == files || $kind == folders ]]; then\n"
			   "\t\tcompopt -o filenames 2>/dev/null\n"
			   "\tfi\n"
			   "}\n"
			   "\n"
			   "complete -F _larder larder\n";

static const char *const kinds[] = {[COMPLETION_NOTHING] = "nothing",
	[COMPLETION_CHOICES] = "values",
	[COMPLETION_FILES] = "files",
	[COMPLETION_FOLDERS] = "folders",
	[COMPLETION_COMMANDS] = "values"};

static void write_names(FILE *out, const struct command *const *commands)
{
	for (; *commands; commands++)
		(void)fprintf(out, " %s", (*commands)->name);
}

static void write_value(FILE *out, const struct option_row *row)
{
	(void)fputs("\t\t", out);
	if (row->letter)
		(void)fprintf(out, "-%c | ", row->letter);
	(void)fprintf(out, "--%s) ", row->name);
	/* Behind a blank stands the next word. */
	if (row->kind == OPTION_MAYBE)
		(void)fputs("[[ $equals ]] && ", out);
	(void)fprintf(out, "kind=%s", kinds[completion_of_value(row)]);
	if (completion_choices(row))
		(void)fprintf(out, " values='%s'", completion_choices(row));
	(void)fputs(" ;;\n", out);
}

static void write_values(FILE *out, const struct command *command)
{
	(void)fputs("\t\tcase $before in\n", out);
	OPTIONS_EACH(group, row, command->groups)
	{
		if (row->value)
			write_value(out, row);
	}
	(void)fputs("\t\tesac\n", out);
}

/* form: COMMAND_FORMS_MAX for all. */
static void write_options(FILE *out, const struct command *command, size_t form)
{
	(void)fputs("options='", out);
	OPTIONS_EACH(group, row, command->groups)
	{
		if (form == COMMAND_FORMS_MAX || options_in_form(group, row, form))
			(void)fprintf(out, " --%s", row->name);
	}
	(void)fputs("'\n", out);
}

/* Words that a form begins with as they stand, and options that only such a form takes. */
static void write_forms(FILE *out, const struct command *command)
{
	for (size_t form = 0; command->forms[form]; form++) {
		size_t length;
		const char *name = completion_named(command, form, &length);

		if (!name)
			continue;
		(void)fprintf(
			out, "\t\t((COMP_CWORD == 2)) && words=values values+=' %.*s'\n", (int)length, name);
		(void)fprintf(out, "\t\t[[ ${COMP_WORDS[2]} == %.*s ]] && ", (int)length, name);
		write_options(out, command, form);
	}
}

static void write_command(FILE *out, const struct command *command, const struct command *const *commands)
{
	enum completion_kind kind = completion_of_words(command);

	(void)fprintf(out, "\t%s)\n\t\twords=%s\n\t\t", command->name, kinds[kind]);
	write_options(out, command, COMMAND_FORMS_MAX);
	if (kind == COMPLETION_COMMANDS) {
		(void)fputs("\t\tvalues='", out);
		write_names(out, commands);
		(void)fputs("'\n", out);
	}
	write_forms(out, command);
	write_values(out, command);
	(void)fputs("\t\t;;\n", out);
}

void completion_write_bash(FILE *out, const struct command *const *commands)
{
	(void)fputs(head, out);
	(void)fputs("\tif ((COMP_CWORD == 1)); then\n\t\tkind=values values='--help --version", out);
	write_names(out, commands);
	(void)fputs("'\n\tfi\n\tcase ${COMP_WORDS[1]} in\n", out);
	for (const struct command *const *command = commands; *command; command++)
		write_command(out, *command, commands);
	(void)fputs("\tesac\n", out);
	(void)fputs(tail, out);
}
