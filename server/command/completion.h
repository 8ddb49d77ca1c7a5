/* SPDX-License-Identifier: Apache-2.0
 *
 * What shells complete, as scripts for them, made of the tables of commands. */
#ifndef SERVER_COMMAND_COMPLETION_H
#define SERVER_COMMAND_COMPLETION_H

#include <stdio.h>

#include "server/command/command.h"

/* What may stand somewhere. */
enum completion_kind {
	COMPLETION_NOTHING, /* that a shell could know */
	COMPLETION_CHOICES,
	COMPLETION_FILES,
	COMPLETION_FOLDERS,
	COMPLETION_COMMANDS
};

/* Of an option's value, by what people call it; its choices are completion_choices(). */
enum completion_kind completion_of_value(const struct option_row *row);

/* The choices, separated by blanks; NULL: it has none. */
const char *completion_choices(const struct option_row *row);

/* Of a command's words that are no options, in all of its forms. */
enum completion_kind completion_of_words(const struct command *command);

/* The word that this form begins with as it stands, and its length; NULL: it begins with none. */
const char *completion_named(const struct command *command, size_t form, size_t *out_length);

/* Writes a text within single quotes: of the signs in special each gets a backslash, a quote what quote says.
 */
void completion_write_quoted(FILE *out, const char *text, const char *special, const char *quote);

/* The scripts. */
void completion_write_bash(FILE *out, const struct command *const *commands);
void completion_write_zsh(FILE *out, const struct command *const *commands);
void completion_write_fish(FILE *out, const struct command *const *commands);

#endif
