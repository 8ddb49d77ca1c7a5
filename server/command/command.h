/* SPDX-License-Identifier: Apache-2.0
 *
 * A command as a row of data, and what commands have in common. */
#ifndef SERVER_COMMAND_COMMAND_H
#define SERVER_COMMAND_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "server/command/options.h"
#include "server/config.h"

enum command_status {
	COMMAND_DONE,
	COMMAND_FAILED,
	COMMAND_MISUSE,
	COMMAND_MISCONFIGURED = 78 /* EX_CONFIG of sysexits.h: to start again without a change is in vain */
};

enum { COMMAND_FORMS_MAX = 3 };

/* A command as a row of data: help, manuals and completions are made of it. */
struct command {
	const char *name;
	const char *summary; /* a few words for the list of commands */
	/* What stands behind its name, such as "PATH... -o FILE"; ended by NULL. A form that begins with a
	 * small letter begins with that word as it stands: "create NAME". */
	const char *forms[COMMAND_FORMS_MAX + 1];
	const char *remarks; /* paragraphs; lines are wrapped */
	struct option_group groups[OPTION_GROUPS_MAX + 1];
	size_t options_size; /* of the struct that the options go to, zeroed before */
	/* Sentences on what its exit status tells besides done, failed and misuse; NULL: nothing. */
	const char *statuses;
	/* words: what is no option, ended by NULL. Returns an exit status. */
	int (*run)(void *options, int count, char **words);
	/* In its place, of a command that tells of commands. */
	int (*tell)(const struct command *const *commands, void *options, int count, char **words);
};

/* Prints the failure to stderr as "larder: sentence". Returns COMMAND_FAILED. */
int command_fail(const struct err *err);

/* Prints how the command was misused, and where its help is. Returns COMMAND_MISUSE. */
int command_misuse(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Which data folder a command works on that needs no daemon, and the configuration that names it. */
struct place_options {
	const char *config;
	const char *data;
};
extern const struct option_row place_option_rows[];

/* The configuration of the file that is named, or the defaults; the folder counts over both. Faults of the
 * file are printed to stderr. The caller owns *out. */
bool command_load_config(const struct place_options *place, struct config **out, struct err *err);

/* The same for whoever looks for more faults, as config_read() does: they are appended, a line each. */
bool command_read_config(const struct place_options *place, struct config **out, struct buffer *faults,
	size_t *out_count, struct err *err);

/* Opens a file for reading; "-" is standard input, which closing leaves open. */
bool command_open_file(const char *name, FILE **out, struct err *err);
void command_close_file(FILE **file);

/* Reads "90d", "12h", "30m", "45s" or a number of seconds. */
bool command_parse_duration(const char *text, int64_t *out_s);

extern const struct command command_serve;
extern const struct command command_token;
extern const struct command command_pack;
extern const struct command command_publish;
extern const struct command command_list;
extern const struct command command_show;
extern const struct command command_signatures;
extern const struct command command_diff;
extern const struct command command_lock;
extern const struct command command_verify;
extern const struct command command_verify_module;
extern const struct command command_wants;
extern const struct command command_prefetch;
extern const struct command command_pull;
extern const struct command command_pin;
extern const struct command command_unpin;
extern const struct command command_withdraw;
extern const struct command command_approve;
extern const struct command command_reject;
extern const struct command command_rescan;
extern const struct command command_audit;
extern const struct command command_document;
extern const struct command command_explain;
extern const struct command command_status;
extern const struct command command_fills;
extern const struct command command_health;
extern const struct command command_gc;
extern const struct command command_doctor;
extern const struct command command_backup;
extern const struct command command_restore;
extern const struct command command_store;
extern const struct command command_import;
extern const struct command command_import_docs;
extern const struct command command_export;
extern const struct command command_keygen;
extern const struct command command_help;
extern const struct command command_manual;
extern const struct command command_completion;
extern const struct command command_version;

#endif
