/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/command/text_table.h"

/* ---- help ---- */

static void print_help(FILE *out, const struct command *commands, size_t count)
{
	(void)fputs("Larder mirrors, keeps and serves machine-learning modules.\n\n"
		    "usage: larder COMMAND [OPTION]...\n\n",
		out);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	(void)fprintf(out, "  %-12s %s\n  %-12s %s\n", "help", "tell more of a command", "version",
		"tell which Larder this is");
	(void)fputs("\n\"larder help COMMAND\" or \"larder COMMAND --help\" tells more.\n", out);
}

static bool asks_for_help(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (asks_for_help(argv[i]))
			return true;
	}
	return false;
}

/* ---- finding the command ---- */

static const struct command *find_command(const struct command *commands, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned smaller = a < b ? a : b;

	return smaller < c ? smaller : c;
}

/* Levenshtein's distance, of words that are shorter than the row. */
static unsigned edit_distance(const char *from, const char *to)
{
	unsigned row[32];
	size_t length = strlen(to);

	if (length >= 32 || strlen(from) >= 32)
		return 32;
	for (unsigned i = 0; i <= length; i++)
		row[i] = i;
	for (unsigned line = 0; from[line]; line++) {
		unsigned diagonal = row[0];

		row[0] = line + 1;
		for (size_t i = 1; i <= length; i++) {
			unsigned above = row[i];

			row[i] = least(row[i - 1] + 1, above + 1, diagonal + (from[line] != to[i - 1]));
			diagonal = above;
		}
	}
	return row[length];
}

/* The command that was most likely meant, or NULL where none is near. */
static const struct command *nearest_command(const struct command *commands, size_t count, const char *name)
{
	const struct command *nearest = NULL;
	unsigned best = 3;

	for (size_t i = 0; i < count; i++) {
		unsigned distance = edit_distance(name, commands[i].name);

		if (distance < best && distance < strlen(commands[i].name)) {
			best = distance;
			nearest = &commands[i];
		}
	}
	return nearest;
}

static int refuse_command(const struct command *commands, size_t count, const char *name)
{
	const struct command *meant = nearest_command(commands, count, name);

	(void)fprintf(stderr, "larder: there is no command \"%s\"", name);
	if (meant)
		(void)fprintf(stderr, "; did you mean \"%s\"?\n", meant->name);
	else
		(void)fputs("; \"larder --help\" lists them\n", stderr);
	return COMMAND_MISUSE;
}

/* help, and help COMMAND. */
static int help(const struct command *commands, size_t count, int argc, char **argv)
{
	const struct command *command = argc > 2 ? find_command(commands, count, argv[2]) : NULL;

	if (argc > 2 && !command && strcmp(argv[2], "help") != 0 && !asks_for_help(argv[2]))
		return refuse_command(commands, count, argv[2]);
	if (command)
		(void)fputs(command->help, stdout);
	else
		print_help(stdout, commands, count);
	return COMMAND_DONE;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	if (wants_help(argc, argv)) {
		(void)fputs(command->help, stdout);
		return COMMAND_DONE;
	}
	argv[1] = argv[0];
	return command->run(argc - 1, argv + 1);
}

/* What was printed counts only once it is written: a full disk must not look like success. */
static int finish_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	(void)fputs("larder: standard output cannot be written\n", stderr);
	return status == COMMAND_DONE ? COMMAND_FAILED : status;
}

int command_run(const struct command *commands, size_t count, int argc, char **argv)
{
	static char program[] = "larder";
	const struct command *command;

	if (argc < 2) {
		print_help(stderr, commands, count);
		return COMMAND_MISUSE;
	}
	if (asks_for_help(argv[1])) {
		print_help(stdout, commands, count);
		return finish_output(COMMAND_DONE);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		(void)puts("larder " LARDER_VERSION);
		return finish_output(COMMAND_DONE);
	}
	if (strcmp(argv[1], "help") == 0)
		return finish_output(help(commands, count, argc, argv));
	command = find_command(commands, count, argv[1]);
	if (!command)
		return refuse_command(commands, count, argv[1]);
	argv[0] = program;
	return finish_output(run_command(command, argc, argv));
}

/* ---- what commands have in common ---- */

int command_fail(const struct err *err)
{
	struct err shown = *err;

	/* It may quote a server, or a file of strangers. */
	text_table_blank_controls(shown.text);
	(void)fprintf(stderr, "larder: %s\n", shown.text);
	return COMMAND_FAILED;
}

int command_misuse(const char *command, const char *format, ...)
{
	va_list arguments;

	(void)fputs("larder: ", stderr);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "; see \"larder %s --help\"\n", command);
	return COMMAND_MISUSE;
}

bool command_load_config(const char *path, const char *data_dir, struct config **out, struct err *err)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO_BUFFER struct buffer faults = {0};

	if (!path) {
		config = config_create();
	} else if (!config_load(path, &config, &faults, err)) {
		(void)fputs(buffer_string(&faults), stderr);
		return false;
	}
	if (data_dir && !config_set(config, "storage", "data_dir", data_dir, err))
		return false;
	*out = TAKE(config);
	return true;
}

bool command_open_file(const char *name, FILE **out, struct err *err)
{
	*out = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
	return *out || err_errno(err, errno, "open %s", name);
}

void command_close_file(FILE **file)
{
	if (*file && *file != stdin)
		(void)fclose(*file);
}

bool command_parse_duration(const char *text, int64_t *out_s)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t length = strlen(text);
	AUTO_FREE char *digits = mem_dup(text);
	int64_t factor = 1;
	int64_t count;

	for (size_t i = 0; length && i < sizeof units / sizeof *units; i++) {
		if (text[length - 1] == units[i].letter) {
			factor = units[i].seconds;
			digits[length - 1] = '\0';
		}
	}
	return number_parse(digits, &count) && !__builtin_mul_overflow(count, factor, out_s);
}
