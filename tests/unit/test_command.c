/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line as its users see it: each case runs in a process of its own, with what it prints and its
 * exit status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/own.h"
#include "server/command/command_line.h"
#include "server/command/text_table.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { ARGUMENTS_MAX = 15 };

/* An option of each kind. */
struct echo_options {
	bool flag;
	const char *text;
	struct option_texts texts;
	struct place_options place;
};

/* Tells what it was called with. */
static int echo(void *values, int count, char **words)
{
	const struct echo_options *options = values;

	(void)printf("[larder]%s", options->flag ? "[flag]" : "");
	if (options->text)
		(void)printf("[text %s]", options->text);
	for (size_t i = 0; i < options->texts.count; i++)
		(void)printf("[%s %s]", options->texts.names[i], options->texts.values[i]);
	if (options->place.data)
		(void)printf("[data %s]", options->place.data);
	for (int i = 0; i < count; i++)
		(void)printf("[%s]", words[i]);
	assert_null(words[count]);
	return count > 0 && strcmp(words[0], "fail") == 0 ? COMMAND_FAILED : COMMAND_DONE;
}

static const struct option_row rows[] = {
	{"flag", 'f', NULL, FLAG_INTO(struct echo_options, flag), "a flag"},
	{"text", 't', "TEXT", TEXT_INTO(struct echo_options, text),
		"a text of so many words that it does not fit into one line of eighty columns",
		.or_next = true},
	{"many-texts", 0, "TEXT", TEXTS_INTO(struct echo_options, texts), "texts:\n  a  the first",
		.choices = "a b"},
	{"maybe", 0, "false", MAYBE_INTO(struct echo_options, texts), "a text, or none", .forms = 1},
	{0},
};

static const struct command serve = {
	.name = "serve",
	.summary = "stands in for others",
	.forms = {"[WORD]...", "again WORD -t TEXT"},
	.remarks = "Remarks.\nIn two lines.",
	.groups = {{rows, 0}, {place_option_rows, offsetof(struct echo_options, place)}},
	.options_size = sizeof(struct echo_options),
	.run = echo,
};

static const struct command verify = {
	.name = "verify", .summary = "stands in for others", .forms = {""}, .remarks = "", .run = echo};

static const struct command *const commands[] = {&serve, &command_token, &verify, &command_help,
	&command_manual, &command_completion, &command_version, NULL};

#define SERVE_HELP \
	"usage: larder serve [WORD]... [-f] [-t TEXT | --many-texts TEXT]\n" \
	"                    [--maybe[=false]] [--config FILE] [--data DIR]\n" \
	"       larder serve again WORD -t TEXT [-f] [--many-texts TEXT] [--config FILE]\n" \
	"                    [--data DIR]\n" \
	"\n" \
	"Remarks.\n" \
	"In two lines.\n" \
	"\n" \
	"  -f, --flag            a flag\n" \
	"  -t, --text TEXT       a text of so many words that it does not fit into one\n" \
	"                        line of eighty columns\n" \
	"  --many-texts TEXT     texts:\n" \
	"                          a  the first\n" \
	"  --maybe[=false]       a text, or none\n" \
	"  --config FILE         the configuration, with the data folder and the limits\n" \
	"  --data DIR            the data folder (default: larder-data)\n" \
	"\n" \
	"Exit status: 0 done, 1 failed, 2 called wrongly.\n"

struct outcome {
	int status;
	char out[4096];
	char err[4096];
};

static void redirect(FILE *file, int fd)
{
	if (dup2(fileno(file), fd) < 0)
		_exit(99);
}

static void slurp(FILE *file, char *text, size_t size)
{
	rewind(file);
	text[fread(text, 1, size - 1, file)] = '\0';
	(void)fclose(file);
}

/* Runs "larder <line>"; arguments are separated by single blanks. */
static struct outcome larder(const char *line)
{
	AUTO_FREE char *words = strdup(line);
	char program[] = "./larder";
	char *argv[ARGUMENTS_MAX + 1] = {program};
	struct outcome outcome = {0};
	FILE *out = tmpfile();
	FILE *err = tmpfile();
	int argc = 1;
	pid_t child;

	for (char *word = strtok(words, " "); word && argc < ARGUMENTS_MAX; word = strtok(NULL, " "))
		argv[argc++] = word;
	(void)fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		redirect(out, STDOUT_FILENO);
		redirect(err, STDERR_FILENO);
		exit(command_run(commands, argc, argv));
	}
	assert_int_equal(waitpid(child, &outcome.status, 0), child);
	assert_true(WIFEXITED(outcome.status));
	outcome.status = WEXITSTATUS(outcome.status);
	slurp(out, outcome.out, sizeof outcome.out);
	slurp(err, outcome.err, sizeof outcome.err);
	return outcome;
}

static const struct {
	const char *line;
	int status;
	const char *out; /* the whole of it; NULL: not looked at */
	const char *err;
} lines[] = {
	{"serve", COMMAND_DONE, "[larder]", ""},
	{"serve a -- --b c", COMMAND_DONE, "[larder][a][--b][c]", ""},
	{"serve fail", COMMAND_FAILED, "[larder][fail]", ""},
	{"serve --help", COMMAND_DONE, SERVE_HELP, ""},
	{"serve a -h", COMMAND_DONE, SERVE_HELP, ""},
	{"serve -- --help", COMMAND_DONE, "[larder][--help]", ""},
	{"help serve", COMMAND_DONE, SERVE_HELP, ""},
	{"serve a --text b --flag c", COMMAND_DONE, "[larder][flag][text b][a][c]", ""},
	{"serve -ftb --text=c -t d", COMMAND_DONE, "[larder][flag][text d]", ""},
	{"serve --many-texts a --maybe --many-texts=b --maybe=c --data d", COMMAND_DONE,
		"[larder][many-texts a][maybe true][many-texts b][maybe c][data d]", ""},
	{"serve --many a --fl", COMMAND_DONE, "[larder][flag][many-texts a]", ""},
	{"serve --falg", COMMAND_MISUSE, "",
		"larder: unknown option --falg (did you mean --flag?); see \"larder serve --help\"\n"},
	{"serve --ma", COMMAND_MISUSE, "",
		"larder: --ma may be --many-texts or --maybe; see \"larder serve --help\"\n"},
	{"serve --nothing-of-the-kind=1", COMMAND_MISUSE, "",
		"larder: unknown option --nothing-of-the-kind; see \"larder serve --help\"\n"},
	{"serve --flag=1", COMMAND_MISUSE, "",
		"larder: --flag takes no value; see \"larder serve --help\"\n"},
	{"serve a --text", COMMAND_MISUSE, "",
		"larder: --text takes a value: --text TEXT; see \"larder serve --help\"\n"},
	{"serve a -t", COMMAND_MISUSE, "",
		"larder: --text takes a value: --text TEXT; see \"larder serve --help\"\n"},
	{"serve -fx", COMMAND_MISUSE, "", "larder: unknown option -x; see \"larder serve --help\"\n"},
	{"serve again a --maybe", COMMAND_MISUSE, "",
		"larder: serve again takes no --maybe; see \"larder serve --help\"\n"},
	{"serve againa --maybe", COMMAND_DONE, "[larder][maybe true][againa]", ""},
	{"--version", COMMAND_DONE, "larder " LARDER_VERSION "\n", ""},
	{"version", COMMAND_DONE, "larder " LARDER_VERSION "\n", ""},
	{"version 2", COMMAND_MISUSE, "",
		"larder: version takes no arguments, not \"2\"; see \"larder version --help\"\n"},
	{"help version", COMMAND_DONE, NULL, ""},
	{"help serve verify", COMMAND_MISUSE, "",
		"larder: help takes one command, such as \"larder help publish\"; see \"larder help "
		"--help\"\n"},
	{"help sreve", COMMAND_MISUSE, "",
		"larder: there is no command \"sreve\"; did you mean \"serve\"?\n"},
	{"manual --list", COMMAND_DONE,
		"larder.1\nlarder-serve.1\nlarder-token.1\nlarder-verify.1\nlarder-help.1\n"
		"larder-manual.1\nlarder-completion.1\nlarder-version.1\nlarder.ini.5\n",
		""},
	{"manual sreve", COMMAND_MISUSE, "",
		"larder: there is no command \"sreve\"; did you mean \"serve\"?\n"},
	{"completion tcsh", COMMAND_MISUSE, "",
		"larder: completion takes a shell: bash, zsh or fish; see \"larder completion --help\"\n"},
	{"", COMMAND_MISUSE, "", NULL},
	{"--help", COMMAND_DONE, NULL, ""},
	{"sreve", COMMAND_MISUSE, "", "larder: there is no command \"sreve\"; did you mean \"serve\"?\n"},
	{"verfy", COMMAND_MISUSE, "", "larder: there is no command \"verfy\"; did you mean \"verify\"?\n"},
	{"x", COMMAND_MISUSE, "", "larder: there is no command \"x\"; \"larder --help\" lists them\n"},
	{"--listen", COMMAND_MISUSE, "",
		"larder: there is no command \"--listen\"; \"larder --help\" lists them\n"},
	{"token", COMMAND_MISUSE, "",
		"larder: token takes create, list or revoke; see \"larder token --help\"\n"},
	{"token make", COMMAND_MISUSE, "",
		"larder: there is no \"token make\"; see \"larder token --help\"\n"},
	{"token --wrong", COMMAND_MISUSE, "",
		"larder: unknown option --wrong; see \"larder token --help\"\n"},
	{"token create ci", COMMAND_MISUSE, "",
		"larder: a token needs a --scope; see \"larder token --help\"\n"},
	{"token create --scope read", COMMAND_MISUSE, "",
		"larder: token create takes one name; see \"larder token --help\"\n"},
	{"token create ci --scope read --json", COMMAND_MISUSE, "",
		"larder: token create takes no --json; see \"larder token --help\"\n"},
	{"token create ci --scope read --expires soon", COMMAND_MISUSE, "",
		"larder: --expires takes a time such as 90d, 12h or 30m, not \"soon\"; see \"larder token "
		"--help\"\n"},
	{"token list ci", COMMAND_MISUSE, "",
		"larder: token list takes no name; see \"larder token --help\"\n"},
	{"token list --config /nonexistent/larder.ini", COMMAND_FAILED, "", NULL},
};

static void test_lines(void **state)
{
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct outcome outcome = larder(lines[i].line);

		if (outcome.status != lines[i].status)
			fail_msg("larder %s: %d, %s", lines[i].line, outcome.status, outcome.err);
		if (lines[i].out)
			assert_string_equal(outcome.out, lines[i].out);
		if (lines[i].err)
			assert_string_equal(outcome.err, lines[i].err);
	}
}

static void test_help_lists_every_command(void **state)
{
	struct outcome asked = larder("--help");
	struct outcome lost = larder("");

	assert_string_equal(asked.out, lost.err);
	for (const struct command *const *command = commands; *command; command++) {
		assert_non_null(strstr(asked.out, (*command)->name));
		assert_non_null(strstr(asked.out, (*command)->summary));
	}
}

/* ---- token ---- */

static int make_folder(void **state)
{
	char *folder = strdup("/tmp/larder-test-command-XXXXXX");

	assert_non_null(mkdtemp(folder));
	*state = folder;
	return 0;
}

static int remove_folder(void **state)
{
	char command[128];

	(void)snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
	assert_int_equal(system(command), 0);
	free(*state);
	return 0;
}

/* As larder(), on a data folder that is made by the first of them. */
static struct outcome larder_in(const char *folder, const char *line)
{
	char whole[512];

	(void)snprintf(whole, sizeof whole, "%s --data %s/data", line, folder);
	return larder(whole);
}

static void test_token_is_printed_alone(void **state)
{
	struct outcome made =
		larder_in(*state, "token create ci --scope publish:acme/* --scope read --expires 90d");
	AUTO_BUFFER struct buffer path = {0};
	struct stat folder;
	char rest;

	assert_int_equal(made.status, COMMAND_DONE);
	assert_int_equal(strlen(made.out), 69);
	assert_int_equal(sscanf(made.out, "lrd_%*64[0-9a-f]%c", &rest), 1);
	assert_int_equal(rest, '\n');
	assert_non_null(strstr(made.err, "token ci has the scopes publish:acme/* read and expires at 20"));
	assert_null(strstr(made.err, "lrd_"));
	buffer_printf(&path, "%s/data", (char *)*state);
	assert_int_equal(stat(buffer_string(&path), &folder), 0);
	assert_int_equal(folder.st_mode & 07777, 0750);
}

static void test_token_life(void **state)
{
	struct outcome outcome;

	assert_int_equal(larder_in(*state, "token create ci --scope read").status, COMMAND_DONE);
	assert_int_equal(larder_in(*state, "token create ci --scope read").status, COMMAND_FAILED);
	assert_int_equal(larder_in(*state, "token create c/i --scope read").status, COMMAND_MISUSE);
	assert_int_equal(larder_in(*state, "token create x --scope write").status, COMMAND_MISUSE);
	outcome = larder_in(*state, "token list");
	assert_int_equal(strncmp(outcome.out, "ci\tread\t20", 10), 0);
	assert_non_null(strstr(outcome.out, "Z\tnever\tvalid\tnever\t\n"));
	assert_int_equal(larder_in(*state, "token revoke ci").status, COMMAND_DONE);
	outcome = larder_in(*state, "token revoke ci");
	assert_int_equal(outcome.status, COMMAND_FAILED);
	assert_non_null(strstr(outcome.err, "larder: there is no valid token named ci\n"));
	outcome = larder_in(*state, "token list --json");
	assert_non_null(strstr(outcome.out, "\"state\": \"revoked\""));
	assert_non_null(strstr(outcome.out, "\"total\": 1"));
}

static void test_config_names_the_folder(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	char line[256];
	struct outcome outcome;
	FILE *file;

	(void)snprintf(line, sizeof line, "%s/larder.ini", (char *)*state);
	file = fopen(line, "w");
	(void)fprintf(file, "[storage]\ndata_dir = %s/data\n[log]\nlevel = info\n", (char *)*state);
	(void)fclose(file);
	assert_int_equal(larder_in(*state, "token create ci --scope admin").status, COMMAND_DONE);
	(void)snprintf(line, sizeof line, "token list --config %s/larder.ini", (char *)*state);
	assert_int_equal(strncmp(larder(line).out, "ci\tadmin\t", 9), 0);

	(void)snprintf(line, sizeof line, "%s/larder.ini", (char *)*state);
	file = fopen(line, "w");
	(void)fputs("[log]\nlevel = loud\nx = y\n", file);
	(void)fclose(file);
	(void)snprintf(line, sizeof line, "token list --config %s/larder.ini", (char *)*state);
	outcome = larder(line);
	assert_int_equal(outcome.status, COMMAND_FAILED);
	assert_non_null(strstr(outcome.err, "/larder.ini:2: level takes"));
	assert_non_null(strstr(outcome.err, "/larder.ini:3: there is no key"));
	assert_non_null(strstr(outcome.err, "larder.ini has 2 faults\n"));
}

/* ---- what commands have in common ---- */

static const struct {
	const char *text;
	int64_t seconds; /* -1: refused */
} durations[] = {
	{"0", 0},
	{"45", 45},
	{"45s", 45},
	{"30m", 1800},
	{"12h", 43200},
	{"90d", 7776000},
	{"", -1},
	{"d", -1},
	{"1w", -1},
	{"1.5h", -1},
	{"-1d", -1},
	{"1d2h", -1},
	{" 1d", -1},
	{"9223372036854775807d", -1},
};

static void test_durations(void **state)
{
	for (size_t i = 0; i < COUNT(durations); i++) {
		int64_t seconds = -1;

		if (command_parse_duration(durations[i].text, &seconds) != (durations[i].seconds >= 0))
			fail_msg("%s", durations[i].text);
		if (durations[i].seconds >= 0)
			assert_int_equal(seconds, durations[i].seconds);
	}
}

static void print_table(bool for_people, char *text, size_t size)
{
	static const char *const cells[] = {
		"NAME", "SIZE", "a", "1", "\xC3\xA4\xC3\xB6", "a\tb\n", "longer", ""};
	AUTO(text_table_finish) struct text_table table = {.columns = 2};
	FILE *out = tmpfile();

	for (size_t i = 0; i < COUNT(cells); i++)
		text_table_add(&table, cells[i]);
	text_table_print(&table, out, for_people);
	slurp(out, text, size);
}

static void test_tables(void **state)
{
	char text[256];

	print_table(false, text, sizeof text);
	assert_string_equal(text, "a\t1\n\xC3\xA4\xC3\xB6\ta b \nlonger\t\n");
	print_table(true, text, sizeof text);
	assert_string_equal(text, "NAME    SIZE\na       1\n\xC3\xA4\xC3\xB6      a b \nlonger  \n");
}

/* Each page as it comes, under what stands there already. */
static void test_tables_in_pages(void **state)
{
	for (int for_people = 0; for_people < 2; for_people++) {
		AUTO(text_table_finish) struct text_table table = {.columns = 2};
		FILE *out = tmpfile();
		char text[256];

		text_table_add_row(&table, (const char *const[]){"NAME", "SIZE"});
		text_table_add_row(&table, (const char *const[]){"longer", "1"});
		text_table_print(&table, out, for_people);
		assert_int_equal(table.count, 0);
		text_table_print(&table, out, for_people);
		text_table_add_row(&table, (const char *const[]){"a", "2"});
		text_table_print(&table, out, for_people);
		text_table_add_row(&table, (const char *const[]){"the longest", "3"});
		text_table_add_row(&table, (const char *const[]){"b", "4"});
		text_table_print(&table, out, for_people);
		slurp(out, text, sizeof text);
		assert_string_equal(text,
			for_people ? "NAME    SIZE\nlonger  1\na       2\nthe longest  3\nb            4\n"
				   : "longer\t1\na\t2\nthe longest\t3\nb\t4\n");
	}
}

/* Two of three columns may give way; the first of them does so first. */
static const struct {
	size_t room;
	const char *cells[3];
	const char *text;
} fits[] = {
	{0, {"a name of some length", "a digest of some length", "5"},
		"a name of some length  a digest of some length  5\n"},
	{60, {"a name of some length", "a digest of some length", "5"},
		"a name of some length  a digest of some length  5\n"},
	{40, {"a name of some length", "a digest of some length", "5"},
		"a name of some length  a digest of s\u2026  5\n"},
	{30, {"a name of some length", "a digest of some length", "5"},
		"a name of some l\u2026  a diges\u2026  5\n"},
	{20, {"a name of some length", "a digest of some length", "5"}, "a name\u2026  a diges\u2026  5\n"},
	{20, {"\u6a21\u578b\u4ed3\u5e93\u6a21\u578b", "a digest", "5"},
		"\u6a21\u578b\u4ed3\u2026  a digest  5\n"},
	{21, {"\u6a21\u578b\u4ed3\u5e93\u6a21\u578b", "a digest", "5"},
		"\u6a21\u578b\u4ed3\u2026   a digest  5\n"},
	{15, {"a name of some length", "a digest of some length", "1234567"},
		"a \u2026  a d\u2026  123\u2026\n"},
	{5, {"abc", "abc", "abc"}, "a\u2026  a\u2026  a\u2026\n"},
};

static void test_tables_fit_a_terminal(void **state)
{
	for (size_t i = 0; i < COUNT(fits); i++) {
		AUTO(text_table_finish)
		struct text_table table = {.columns = 3, .room = fits[i].room, .elastic = 1 << 1};
		FILE *out = tmpfile();
		char text[256];

		text_table_add_row(&table, fits[i].cells);
		text_table_print(&table, out, true);
		slurp(out, text, sizeof text);
		if (strcmp(text, fits[i].text) != 0)
			fail_msg("%zu: \"%s\"", i, text);
	}
}

/* What turns the direction of writing makes a name look like another. */
static void test_text_that_a_terminal_would_obey(void **state)
{
	static const char *const texts[][2] = {{"a\u202egnp.exe", "a   gnp.exe"},
		{"\u2066x\u2069", "   x   "}, {"\x1b[2J", " [2J"},
		{"\xc2\x9b"
		 "31m",
			"  31m"},
		{"\xff\xfe", "  "}, {"\u00e4\u6a21", "\u00e4\u6a21"}};

	for (size_t i = 0; i < COUNT(texts); i++) {
		AUTO_FREE char *text = strdup(texts[i][0]);

		text_table_blank_controls(text);
		assert_string_equal(text, texts[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_help_lists_every_command),
		cmocka_unit_test_setup_teardown(test_token_is_printed_alone, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_token_life, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_config_names_the_folder, make_folder, remove_folder),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_tables_in_pages),
		cmocka_unit_test(test_tables_fit_a_terminal),
		cmocka_unit_test(test_text_that_a_terminal_would_obey),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
