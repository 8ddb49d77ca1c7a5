/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: finds the command that argv names, reads its options, and explains what there is. */
#ifndef SERVER_COMMAND_COMMAND_LINE_H
#define SERVER_COMMAND_COMMAND_LINE_H

#include "server/command/command.h"

/* Runs the command that argv[1] names; answers help and version itself. commands ends with NULL. Returns an
 * exit status. */
int command_run(const struct command *const *commands, int argc, char **argv);

#endif
