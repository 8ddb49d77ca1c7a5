/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/command_table.h"

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/nearness.h"
#include "common/own.h"
#include "server/command/text_table.h"

enum { COMMANDS_MAX = 64 };

const struct command *command_table_find(const struct command *const *commands, const char *name)
{
	while (*commands && strcmp((*commands)->name, name) != 0)
		commands++;
	return *commands;
}

int command_table_refuse(const struct command *const *commands, const char *name)
{
	AUTO_FREE char *shown = mem_dup(name);
	const char *names[COMMANDS_MAX];
	const char *meant;
	size_t count = 0;

	for (; *commands && count < COMMANDS_MAX; commands++)
		names[count++] = (*commands)->name;
	meant = nearness_find(names, count, name);
	text_table_blank_controls(shown);
	(void)fprintf(stderr, "larder: there is no command \"%s\"", shown);
	if (meant)
		(void)fprintf(stderr, "; did you mean \"%s\"?\n", meant);
	else
		(void)fputs("; \"larder --help\" lists them\n", stderr);
	return COMMAND_MISUSE;
}
