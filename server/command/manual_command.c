/* SPDX-License-Identifier: Apache-2.0
 *
 * manual: Larder's manual pages, for man and for whoever installs them. */
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/command/command.h"
#include "server/command/command_table.h"
#include "server/command/manual.h"

enum { LIST = 1 << 2 };

static const char page_of_larder[] = "larder.1";
static const char page_of_configuration[] = "larder.ini.5";

struct manual_options {
	bool list;
};

static int list(const struct command *const *commands)
{
	(void)printf("%s\n", page_of_larder);
	for (; *commands; commands++)
		(void)printf("larder-%s.1\n", (*commands)->name);
	(void)printf("%s\n", page_of_configuration);
	return COMMAND_DONE;
}

/* With or without its section. */
static bool is_page(const char *word, const char *page)
{
	size_t length = strlen(word);

	return strcmp(word, page) == 0 || (strncmp(word, page, length) == 0 && strlen(page) == length + 2);
}

static const struct command *find_command(const struct command *const *commands, const char *word)
{
	for (; *commands; commands++) {
		AUTO_FREE char *page = mem_printf("larder-%s.1", (*commands)->name);

		if (strcmp((*commands)->name, word) == 0 || is_page(word, page))
			return *commands;
	}
	return NULL;
}

static int print(const struct command *const *commands, const char *word)
{
	const struct command *command = find_command(commands, word);

	if (command)
		manual_write_command(stdout, command);
	else if (is_page(word, page_of_larder))
		manual_write_larder(stdout, commands);
	else if (is_page(word, page_of_configuration))
		manual_write_configuration(stdout);
	else
		return command_table_refuse(commands, word);
	return COMMAND_DONE;
}

static int tell(const struct command *const *commands, void *values, int count, char **words)
{
	const struct manual_options *options = values;

	if (count > 1 || (count > 0 && options->list))
		return command_misuse("manual", "manual takes one command, or larder.ini");
	return options->list ? list(commands) : print(commands, count > 0 ? words[0] : page_of_larder);
}

static const struct option_row rows[] = {
	{"list", 0, NULL, FLAG_INTO(struct manual_options, list), "print the names of all pages",
		.forms = LIST},
	{0},
};

const struct command command_manual = {
	.name = "manual",
	.summary = "print a manual page, for man",
	.forms = {"[COMMAND]", "larder.ini", "--list"},
	.remarks = "Prints larder(1), or the page of a command or of the configuration, as \"man\" reads it: "
		   "\"larder manual publish | man -l -\". \"meson install\" puts all of them where \"man "
		   "larder-publish\" finds them.",
	.groups = {{rows, 0}},
	.options_size = sizeof(struct manual_options),
	.tell = tell,
};
