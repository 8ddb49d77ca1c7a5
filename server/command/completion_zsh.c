/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/command/completion.h"

static const char head[] = "#compdef larder\n"
			   "# zsh completion for larder, as \"larder completion zsh\" prints it.\n"
			   "\n"
			   "_larder_commands()\n"
			   "{\n"
			   "\tlocal -a commands=(\n";

static const char middle[] =
	"\t)\n"
	"\t_describe -t commands command commands\n"
	"}\n"
	"\n"
	"_larder()\n"
	"{\n"
	"\tlocal curcontext=$curcontext state line\n"
	"\n"
	"\t_arguments -C '(- *)--help[list the commands]' '(- *)--version[tell which Larder "
	"this is]' \\\n"
	"\t\t'1:command:_larder_commands' '*::argument:->argument' && return\n"
	"\tcase $line[1] in\n";

static const char tail[] = "\tesac\n"
			   "}\n"
			   "\n"
			   "if [[ $funcstack[1] == _larder ]]; then\n"
			   "\t_larder \"$@\"\n"
			   "else\n"
			   "\tcompdef _larder larder\n"
			   "fi\n";

static const char *const actions[] = {[COMPLETION_NOTHING] = " ",
	[COMPLETION_FILES] = "_files",
	[COMPLETION_FOLDERS] = "_files -/",
	[COMPLETION_COMMANDS] = "_larder_commands"};

/* Within a specification a colon or a bracket would end a text. */
static void write_text(FILE *out, const char *text)
{
	for (; *text && *text != '\n'; text++) {
		if (*text == '\'')
			(void)fputs("'\\''", out);
		else
			(void)fprintf(out, strchr("[]:\\", *text) ? "\\%c" : "%c", *text);
	}
}

static void write_action(FILE *out, const struct option_row *row)
{
	const char *choices = completion_choices(row);

	(void)fputs(row->kind == OPTION_MAYBE ? "::" : ":", out);
	write_text(out, row->value);
	if (choices)
		(void)fprintf(out, ":(%s)", choices);
	else
		(void)fprintf(out, ":%s", actions[completion_of_value(row)]);
}

static const char *sign_of_value(const struct option_row *row)
{
	if (!row->value)
		return "";
	return row->kind == OPTION_MAYBE ? "=-" : "=";
}

/* '*--scope=[what it may do]:SCOPE: ', or with a letter {-o+,--output=} between two of such quotes. */
static void write_option(FILE *out, const struct option_row *row)
{
	bool repeats = row->kind == OPTION_TEXTS || row->kind == OPTION_MAYBE;

	(void)fputs(" \\\n\t\t\t", out);
	if (row->letter)
		(void)fprintf(out, "'(-%c --%s)'{-%c%s,--%s%s}'", row->letter, row->name, row->letter,
			row->value ? "+" : "", row->name, sign_of_value(row));
	else
		(void)fprintf(out, "'%s--%s%s", repeats ? "*" : "", row->name, sign_of_value(row));
	(void)fputc('[', out);
	write_text(out, row->help);
	(void)fputc(']', out);
	if (row->value)
		write_action(out, row);
	(void)fputc('\'', out);
}

static void write_words(FILE *out, const struct command *command)
{
	bool named = false;

	for (size_t form = 0; command->forms[form]; form++) {
		size_t length;
		const char *name = completion_named(command, form, &length);

		if (name)
			(void)fprintf(
				out, named ? " %.*s" : " \\\n\t\t\t'1:argument:(%.*s", (int)length, name);
		named = named || name;
	}
	if (named)
		(void)fputs(")'", out);
	(void)fprintf(out, " \\\n\t\t\t'*:argument:%s'\n", actions[completion_of_words(command)]);
}

/* Options that only another form takes are left out where a form begins with this word. */
static void write_form(FILE *out, const struct command *command, size_t form, const char *indent)
{
	(void)fprintf(out, "%s_arguments -s '(- *)--help[tell more of it]'", indent);
	OPTIONS_EACH(group, row, command->groups)
	{
		if (form == COMMAND_FORMS_MAX || options_in_form(group, row, form))
			write_option(out, row);
	}
	write_words(out, command);
}

static void write_command(FILE *out, const struct command *command)
{
	(void)fprintf(out, "\t%s)\n\t\tcase $words[2] in\n", command->name);
	for (size_t form = 0; command->forms[form]; form++) {
		size_t length;
		const char *name = completion_named(command, form, &length);

		if (!name || !command->groups[0].rows)
			continue;
		(void)fprintf(out, "\t\t%.*s)\n", (int)length, name);
		write_form(out, command, form, "\t\t\t");
		(void)fputs("\t\t\t;;\n", out);
	}
	(void)fputs("\t\t*)\n", out);
	write_form(out, command, COMMAND_FORMS_MAX, "\t\t\t");
	(void)fputs("\t\t\t;;\n\t\tesac\n\t\t;;\n", out);
}

void completion_write_zsh(FILE *out, const struct command *const *commands)
{
	(void)fputs(head, out);
	for (const struct command *const *command = commands; *command; command++) {
		(void)fprintf(out, "\t\t'%s:", (*command)->name);
		write_text(out, (*command)->summary);
		(void)fputs("'\n", out);
	}
	(void)fputs(middle, out);
	for (; *commands; commands++)
		write_command(out, *commands);
	(void)fputs(tail, out);
}
