/* SPDX-License-Identifier: Apache-2.0
 *
 * What a command's output goes to, where it is a terminal. */
#ifndef SERVER_COMMAND_TERMINAL_H
#define SERVER_COMMAND_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* How many characters fit into a line: $COLUMNS, or what the terminal says, or 80. */
size_t terminal_columns(int fd);

/* Whether it is a terminal on which the cursor can be moved. */
bool terminal_can_draw(int fd);

/* How many columns a character takes: none, one or two. */
size_t terminal_width(unsigned code);

#endif
