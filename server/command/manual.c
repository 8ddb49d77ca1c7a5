/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/manual.h"

#include <ctype.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/command/help.h"
#include "server/command/remote.h"
#include "server/config_keys.h"

/* ---- troff ---- */

/* What stands for itself in print but not in troff, or would be set as a typographer's sign. */
static const struct {
	char sign;
	const char *escape;
} escapes[] = {{'\\', "\\e"}, {'-', "\\-"}, {'\'', "\\(aq"}, {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"},
	{'"', "\\(dq"}};

static void write_character(FILE *out, uint32_t code)
{
	for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
		if (code == (unsigned char)escapes[i].sign) {
			(void)fputs(escapes[i].escape, out);
			return;
		}
	}
	if (code < 0x80)
		(void)fputc((int)code, out);
	else
		(void)fprintf(out, "\\[u%04X]", (unsigned)code);
}

/* At the beginning of a line a dot would be a request. */
static void write_words(FILE *out, const char *text, size_t length)
{
	uint32_t code;

	if (length > 0 && *text == '.')
		(void)fputs("\\&", out);
	for (size_t i = 0; i < length;) {
		size_t step = utf8_decode(text + i, &code);

		write_character(out, code);
		i += step ? step : 1;
	}
}

static void write_line(FILE *out, const char *text)
{
	write_words(out, text, strlen(text));
	(void)fputc('\n', out);
}

/* Of several lines each begins anew, as the request says; one that is indented goes on in its paragraph. */
static void write_text(FILE *out, const char *text, const char *request)
{
	for (bool first = true; *text; first = false) {
		size_t length = strcspn(text, "\n");
		size_t blanks = strspn(text, " ");

		if (!first)
			(void)fprintf(out, "%s\n", blanks > 0 ? ".br" : request);
		for (size_t i = 0; i < blanks; i++)
			(void)fputs("\\ ", out);
		write_words(out, text + blanks, length - blanks);
		(void)fputc('\n', out);
		text += length + (text[length] == '\n');
	}
}

/* No date: the same version is the same page. */
static void write_head(FILE *out, const char *title, int section, const char *summary)
{
	AUTO_FREE char *upper = mem_dup(title);

	for (char *c = upper; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	(void)fputs(".TH \"", out);
	write_words(out, upper, strlen(upper));
	(void)fprintf(
		out, "\" %d \"\" \"Larder " LARDER_VERSION "\" \"Larder\"\n.nh\n.ad l\n.SH NAME\n", section);
	write_words(out, title, strlen(title));
	(void)fputs(" \\- ", out);
	write_line(out, summary);
}

static void begin_entry(FILE *out, const char *text)
{
	(void)fputs(".TP\n\\fB", out);
	write_words(out, text, strlen(text));
	(void)fputs("\\fR\n", out);
}

/* ---- what all pages have ---- */

static void write_statuses(FILE *out, const struct command *command)
{
	static const struct {
		enum command_status status;
		const char *text;
	} rows[] = {{COMMAND_DONE, "It is done."},
		{COMMAND_FAILED, "It failed, wholly or in part; standard error tells why."},
		{COMMAND_MISUSE, "It was called wrongly, and nothing was done."}};

	(void)fputs(".SH EXIT STATUS\n", out);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		AUTO_FREE char *number = mem_printf("%d", (int)rows[i].status);

		begin_entry(out, number);
		write_line(out, rows[i].text);
	}
	if (command && command->statuses) {
		(void)fputs(".PP\n", out);
		write_text(out, command->statuses, ".PP");
	}
}

/* Variables that commands read; with the rows of the options that they stand in for, or NULL. */
static const struct {
	const char *name;
	const struct option_row *rows;
	const char *text;
} variables[] = {
	{"LARDER_SERVER", remote_option_rows, "The registry, where there is no --server."},
	{"LARDER_TOKEN", remote_option_rows,
		"The token to send, where there is neither --token nor --token-file."},
	{"COLUMNS", NULL, "How wide tables on a terminal may be, in place of the terminal's own width."},
	{"TERM", NULL, "Where it is \"dumb\", progress is told in lines rather than in bars."},
	{"TMPDIR", NULL, "Where a folder is packed before it is sent (default: /tmp)."},
};

static bool takes(const struct command *command, const struct option_row *rows)
{
	for (const struct option_group *group = command->groups; group->rows; group++) {
		if (group->rows == rows)
			return true;
	}
	return false;
}

/* Of a command those of its options alone; without one all. */
static void write_environment(FILE *out, const struct command *command)
{
	bool begun = false;

	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
		if (command && !(variables[i].rows && takes(command, variables[i].rows)))
			continue;
		if (!begun)
			(void)fputs(".SH ENVIRONMENT\n", out);
		begun = true;
		begin_entry(out, variables[i].name);
		write_line(out, variables[i].text);
	}
}

/* ---- a command ---- */

static void write_form(FILE *out, const struct command *command, size_t form)
{
	AUTO_FREE char *name = mem_printf("larder %s", command->name);

	(void)fputs(form > 0 ? ".br\n\\fB" : "\\fB", out);
	write_words(out, name, strlen(name));
	(void)fputs("\\fR", out);
	if (*command->forms[form])
		(void)fputc(' ', out);
	write_line(out, command->forms[form]);
	OPTIONS_EACH(group, row, command->groups)
	{
		if (help_form_takes(command, form, group, row)) {
			AUTO_FREE char *spelt = help_spell(row);
			AUTO_FREE char *text = mem_printf("[%s]", spelt);

			write_line(out, text);
		}
	}
}

static void write_option(FILE *out, const struct option_row *row)
{
	const char *begin = row->kind == OPTION_MAYBE ? "[=" : " ";
	AUTO_FREE char *letter = row->letter ? mem_printf("-%c, ", row->letter) : mem_dup("");
	AUTO_FREE char *text = mem_printf("%s--%s%s%s%s", letter, row->name, row->value ? begin : "",
		row->value ? row->value : "", row->kind == OPTION_MAYBE ? "]" : "");

	begin_entry(out, text);
	write_text(out, row->help, ".br");
}

void manual_write_command(FILE *out, const struct command *command)
{
	AUTO_FREE char *title = mem_printf("larder-%s", command->name);

	write_head(out, title, 1, command->summary);
	(void)fputs(".SH SYNOPSIS\n", out);
	for (size_t form = 0; command->forms[form]; form++)
		write_form(out, command, form);
	(void)fputs(".SH DESCRIPTION\n", out);
	write_text(out, command->remarks, ".PP");
	if (command->groups[0].rows)
		(void)fputs(".SH OPTIONS\n", out);
	OPTIONS_EACH(group, row, command->groups)
	write_option(out, row);
	write_statuses(out, command);
	write_environment(out, command);
	(void)fputs(".SH SEE ALSO\n.BR larder (1),\n.BR larder.ini (5)\n", out);
}

/* ---- all of them ---- */

void manual_write_larder(FILE *out, const struct command *const *commands)
{
	write_head(out, "larder", 1, "a local registry of machine-learning modules");
	(void)fputs(
		".SH SYNOPSIS\n\\fBlarder\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n.SH DESCRIPTION\n", out);
	write_line(out, help_of_larder);
	write_line(out,
		"Each command has a page of its own, such as larder-publish(1), and tells the same with "
		"--help. Options may stand before and behind other words; what follows -- is no option. "
		"Tables are aligned on a terminal; elsewhere they have tabs between fields and no "
		"headings. There are no colours.");
	(void)fputs(".SH COMMANDS\n", out);
	for (; *commands; commands++) {
		begin_entry(out, (*commands)->name);
		write_line(out, (*commands)->summary);
	}
	write_statuses(out, NULL);
	write_environment(out, NULL);
	(void)fputs(".SH SEE ALSO\n.BR larder.ini (5)\n", out);
}

/* ---- the configuration ---- */

static void write_choices(FILE *out, const struct key *key)
{
	if (!key->choices)
		return;
	(void)fputs(".br\n", out);
	(void)fputs("One of:", out);
	for (const char *const *choice = key->choices; *choice; choice++) {
		(void)fputc(' ', out);
		write_words(out, *choice, strlen(*choice));
	}
	(void)fputc('\n', out);
}

static void write_key(FILE *out, const struct key *key)
{
	(void)fputs(".TP\n\\fB", out);
	write_words(out, key->name, strlen(key->name));
	(void)fputs(*key->initial ? "\\fR = " : "\\fR =", out);
	write_line(out, key->initial);
	write_text(out, key->purpose, ".br");
	write_choices(out, key);
}

static void write_keys(FILE *out, const struct key *keys, size_t count, const char *heading)
{
	const char *section = "";

	for (size_t i = 0; i < count; i++) {
		if (strcmp(keys[i].section, section) != 0)
			(void)fprintf(out, ".SS [%s]\n", heading ? heading : keys[i].section);
		section = keys[i].section;
		write_key(out, &keys[i]);
	}
}

void manual_write_configuration(FILE *out)
{
	write_head(out, "larder.ini", 5, "the configuration of Larder's daemon");
	(void)fputs(".SH SYNOPSIS\n\\fBlarder serve \\-\\-config\\fR \\fIFILE\\fR\n.SH DESCRIPTION\n", out);
	write_text(out,
		"Each key is shown with its default, and may be left out but for what a section of a webhook "
		"requires. Lines that begin with # or ; are comments. Sizes take K, M, G or T (powers of "
		"1024), "
		"times are in seconds. Lists are separated by commas or blanks and may go on in indented "
		"lines. "
		"A section or key that there is none of is an error: \"larder serve --check --config FILE\" "
		"tells all of them, with their lines.\n"
		"SIGHUP has a running daemon read the file again; what cannot change without a restart "
		"stays.",
		".PP");
	(void)fputs(".SH KEYS\n", out);
	write_keys(out, config_keys, CONFIG_KEY_COUNT, NULL);
	write_keys(out, upstream_keys, UPSTREAM_KEY_COUNT, "upstream NAME");
	write_keys(out, webhook_keys, WEBHOOK_KEY_COUNT, "webhook NAME");
	(void)fputs(".PP\n", out);
	write_line(out, "There may be several upstreams, which are asked in their order, and several "
			"webhooks. A file "
			"that has an upstream replaces those that are built in.");
	(void)fputs(".SH SEE ALSO\n.BR larder (1),\n.BR larder\\-serve (1)\n", out);
}
