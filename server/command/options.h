/* SPDX-License-Identifier: Apache-2.0
 *
 * Options as rows of tables: parsing, complaints, help, manuals and completions are made of the same rows. */
#ifndef SERVER_COMMAND_OPTIONS_H
#define SERVER_COMMAND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum option_kind {
	OPTION_FLAG,  /* bool */
	OPTION_TEXT,  /* const char *: the last one that is given */
	OPTION_TEXTS, /* struct option_texts: all that are given, in turn */
	OPTION_MAYBE  /* the same; its value, behind an equals sign, may be left out, and is "true" then */
};

struct option_row {
	const char *name;  /* without dashes */
	char letter;       /* the short one, or 0 */
	const char *value; /* what people call its value, such as FILE; NULL of a flag */
	enum option_kind kind;
	size_t offset; /* where it goes, in the struct of its group */
	/* What it does. Each of its lines is wrapped; what a line is indented by, it keeps. */
	const char *help;
	const char *choices; /* what its value may be, separated by blanks; NULL: anything */
	unsigned forms;      /* bits of the command's forms that take it; 0: all of them */
	bool or_next;        /* it and the next row exclude each other */
	bool is_secret;      /* a text that lists of processes are not to show: argv has stars in its place */
};

/* The kind and offset of a row, from the member that it goes to; the compiler refuses one of another type. */
#define OPTION_INTO(kind, member_type, type, member) \
	kind, offsetof(type, member) + 0 * sizeof(char[__builtin_types_compatible_p( \
							       __typeof__(((type *)0)->member), member_type) \
							       ? 1 \
							       : -1])
#define FLAG_INTO(type, member) OPTION_INTO(OPTION_FLAG, bool, type, member)
#define TEXT_INTO(type, member) OPTION_INTO(OPTION_TEXT, const char *, type, member)
#define TEXTS_INTO(type, member) OPTION_INTO(OPTION_TEXTS, struct option_texts, type, member)
#define MAYBE_INTO(type, member) OPTION_INTO(OPTION_MAYBE, struct option_texts, type, member)

/* Several rows may lead to one of these. */
struct option_texts {
	const char **values;
	const char **names; /* the rows' */
	size_t count;
};

/* Rows that end with one without a name, for a struct that stands at this place in the command's. */
struct option_group {
	const struct option_row *rows;
	size_t offset;
	unsigned forms; /* that take them, besides what each row says; 0: all of them */
};

enum { OPTIONS_MAX = 32, OPTION_GROUPS_MAX = 3 };

/* All rows of a command in turn: OPTIONS_EACH (group, row, command->groups) { ... }. Groups end with one
 * without rows. */
#define OPTIONS_EACH(group, row, groups) \
	for (const struct option_group *group = (groups); group->rows; group++) \
		for (const struct option_row *row = group->rows; row->name; row++)

/* Whether one of a command's forms takes a row of a group. */
bool options_in_form(const struct option_group *group, const struct option_row *row, size_t form);

/* What was read of a command line. */
struct option_given {
	const struct option_row *rows[OPTIONS_MAX]; /* those that were given, each once */
	size_t count;
	int words; /* where in argv that begins which is no option: it is moved to the end */
};

/* Reads argv, whose first is the program's name, into a command's zeroed struct. ERR_BAD_REQUEST, with a
 * sentence that names what was probably meant. */
bool options_read(const struct option_group *groups, int argc, char **argv, void *values,
	struct option_given *given, struct err *err);

/* Frees what reading has made, not the struct. */
void options_finish(const struct option_group *groups, void *values);

#endif
