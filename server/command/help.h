/* SPDX-License-Identifier: Apache-2.0
 *
 * What --help prints, made of a command's tables: lines of at most 80 columns. */
#ifndef SERVER_COMMAND_HELP_H
#define SERVER_COMMAND_HELP_H

#include <stddef.h>
#include <stdio.h>

#include "server/command/command.h"

/* All commands, ended by NULL, with a few words of each. */
void help_print_commands(FILE *out, const struct command *const *commands);

/* How a command is used, what it does, and its options. */
void help_print(FILE *out, const struct command *command);

/* What the program is, in a sentence. */
extern const char help_of_larder[];

/* An option as a usage has it: "-o FILE", "--cached[=false]"; free() it. */
char *help_spell(const struct option_row *row);

/* Whether a form is meant to take this option beside what it names itself; for manuals, too. */
bool help_form_takes(const struct command *command, size_t form, const struct option_group *group,
	const struct option_row *row);

#endif
