/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/command_line.h"

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/command/command_table.h"
#include "server/command/help.h"

/* ---- help ---- */

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

/* ---- running it ---- */

/* The form that these words begin as it stands: "create ci" begins "create NAME". NULL: there is none. */
static const char *named_form(const struct command *command, const char *word, size_t *out_form)
{
	for (*out_form = 0; word && command->forms[*out_form]; ++*out_form) {
		const char *form = command->forms[*out_form];
		size_t length = strcspn(form, " ");

		if (*form >= 'a' && *form <= 'z' && strlen(word) == length &&
			strncmp(form, word, length) == 0)
			return form;
	}
	return NULL;
}

/* What is for another form is refused, rather than ignored. */
static int check_form(const struct command *command, const struct option_given *given, const char *word)
{
	size_t form;

	if (!named_form(command, word, &form))
		return COMMAND_DONE;
	for (size_t i = 0; i < given->count; i++) {
		if (given->rows[i]->forms && !(given->rows[i]->forms & 1u << form))
			return command_misuse(command->name, "%s %s takes no --%s", command->name, word,
				given->rows[i]->name);
	}
	return COMMAND_DONE;
}

static int read_and_run(const struct command *const *commands, const struct command *command, void *options,
	int argc, char **argv)
{
	struct option_given given;
	struct err err;
	int status;

	if (!options_read(command->groups, argc, argv, options, &given, &err))
		return command_misuse(command->name, "%s", err.text);
	status = check_form(command, &given, argv[given.words]);
	if (status != COMMAND_DONE)
		return status;
	argc -= given.words;
	argv += given.words;
	return command->tell ? command->tell(commands, options, argc, argv)
			     : command->run(options, argc, argv);
}

static int run_command(
	const struct command *const *commands, const struct command *command, int argc, char **argv)
{
	AUTO_FREE void *options = mem_zero(1, command->options_size + 1);
	int status;

	if (wants_help(argc, argv)) {
		help_print(stdout, command);
		return COMMAND_DONE;
	}
	argv[1] = argv[0];
	status = read_and_run(commands, command, options, argc - 1, argv + 1);
	options_finish(command->groups, options);
	return status;
}

/* What was printed counts only once it is written: a full disk must not look like success. */
static int finish_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	(void)fputs("larder: standard output cannot be written\n", stderr);
	return status == COMMAND_DONE ? COMMAND_FAILED : status;
}

int command_run(const struct command *const *commands, int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		help_print_commands(stderr, commands);
		return COMMAND_MISUSE;
	}
	if (asks_for_help(argv[1])) {
		help_print_commands(stdout, commands);
		return finish_output(COMMAND_DONE);
	}
	if (strcmp(argv[1], "--version") == 0)
		argv[1] += 2;
	command = command_table_find(commands, argv[1]);
	if (!command)
		return command_table_refuse(commands, argv[1]);
	return finish_output(run_command(commands, command, argc, argv));
}
