/* SPDX-License-Identifier: Apache-2.0
 *
 * Manual pages in troff (man(7)), made of the tables of commands and of configuration keys. */
#ifndef SERVER_COMMAND_MANUAL_H
#define SERVER_COMMAND_MANUAL_H

#include <stdio.h>

#include "server/command/command.h"

/* larder(1): all commands. */
void manual_write_larder(FILE *out, const struct command *const *commands);

/* larder-NAME(1): one of them. */
void manual_write_command(FILE *out, const struct command *command);

/* larder.ini(5): the configuration. */
void manual_write_configuration(FILE *out);

#endif
