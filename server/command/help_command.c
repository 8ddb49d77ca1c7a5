/* SPDX-License-Identifier: Apache-2.0
 *
 * help and version: what Larder tells of itself. */
#include <stdio.h>

#include "server/command/command.h"
#include "server/command/command_table.h"
#include "server/command/help.h"

static int tell_help(const struct command *const *commands, void *options, int count, char **words)
{
	const struct command *command = count > 0 ? command_table_find(commands, words[0]) : NULL;

	(void)options;
	if (count > 1)
		return command_misuse("help", "help takes one command, such as \"larder help publish\"");
	if (count > 0 && !command)
		return command_table_refuse(commands, words[0]);
	if (command)
		help_print(stdout, command);
	else
		help_print_commands(stdout, commands);
	return COMMAND_DONE;
}

const struct command command_help = {
	.name = "help",
	.summary = "list the commands, or tell more of one",
	.forms = {"[COMMAND]"},
	.remarks = "The same as \"larder --help\" and \"larder COMMAND --help\".",
	.tell = tell_help,
};

static int print_version(void *options, int count, char **words)
{
	(void)options;
	if (count > 0)
		return command_misuse("version", "version takes no arguments, not \"%s\"", *words);
	(void)puts("larder " LARDER_VERSION);
	return COMMAND_DONE;
}

const struct command command_version = {
	.name = "version",
	.summary = "tell which Larder this is",
	.forms = {""},
	.remarks = "Prints \"larder\" and a number. \"larder status\" tells of a running one.",
	.run = print_version,
};
