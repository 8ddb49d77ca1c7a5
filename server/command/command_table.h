/* SPDX-License-Identifier: Apache-2.0
 *
 * All commands as a table that ends with NULL: one by its name. */
#ifndef SERVER_COMMAND_COMMAND_TABLE_H
#define SERVER_COMMAND_COMMAND_TABLE_H

#include "server/command/command.h"

/* NULL: there is none of this name. */
const struct command *command_table_find(const struct command *const *commands, const char *name);

/* Prints that there is none, and which was probably meant. Returns COMMAND_MISUSE. */
int command_table_refuse(const struct command *const *commands, const char *name);

#endif
