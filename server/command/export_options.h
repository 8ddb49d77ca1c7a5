/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told to export, and what of it goes together. */
#ifndef SERVER_COMMAND_EXPORT_OPTIONS_H
#define SERVER_COMMAND_EXPORT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/command/command.h"
#include "server/command/export_choice.h"

struct export_options {
	struct place_options place;
	const char *output;
	struct export_choice choice;
	const char *since;
	const char *split;
	const char *key;
	const char *name;
	const char *cache; /* NULL: a bundle is written */
	struct option_texts origins;
	bool words_only;
	bool partial;
	bool force;
	bool dry_run;
	bool json;
};
extern const struct option_row export_option_rows[];

/* An exit status: COMMAND_DONE where they can be followed. *out_split: bytes, where pieces are asked for. */
int export_options_check(const struct export_options *options, int64_t *out_split);

#endif
