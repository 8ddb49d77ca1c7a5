/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: finds the command that argv names, explains what there is, and holds what commands have
 * in common. Each command reads its own options. */
#ifndef SERVER_COMMAND_COMMAND_H
#define SERVER_COMMAND_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "server/config.h"

enum command_status {
	COMMAND_DONE,
	COMMAND_FAILED,
	COMMAND_MISUSE,
	COMMAND_MISCONFIGURED = 78 /* EX_CONFIG of sysexits.h: to start again without a change is in vain */
};

struct command {
	const char *name;
	const char *summary; /* a few words for the list of commands */
	const char *help;    /* what --help prints: usage, options, remarks */
	/* argv[0] is "larder", so that getopt's complaints begin with it; returns an exit status. */
	int (*run)(int argc, char **argv);
};

/* Runs the command that argv[1] names; answers --help and --version itself. Returns an exit status. */
int command_run(const struct command *commands, size_t count, int argc, char **argv);

/* Prints the failure to stderr as "larder: sentence". Returns COMMAND_FAILED. */
int command_fail(const struct err *err);

/* Prints how the command was misused, and where its help is. Returns COMMAND_MISUSE. */
int command_misuse(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The configuration of this file, or the defaults for NULL; data_dir, where it is not NULL, counts over both.
 * Faults of the file are printed to stderr. The caller owns *out. */
bool command_load_config(const char *path, const char *data_dir, struct config **out, struct err *err);

/* Opens a file for reading; "-" is standard input, which closing leaves open. */
bool command_open_file(const char *name, FILE **out, struct err *err);
void command_close_file(FILE **file);

/* Reads "90d", "12h", "30m", "45s" or a number of seconds. */
bool command_parse_duration(const char *text, int64_t *out_s);

int command_serve(int argc, char **argv);
int command_token(int argc, char **argv);
int command_pack(int argc, char **argv);
int command_publish(int argc, char **argv);
int command_list(int argc, char **argv);
int command_show(int argc, char **argv);
int command_signatures(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_lock(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_wants(int argc, char **argv);
int command_prefetch(int argc, char **argv);
int command_pull(int argc, char **argv);
int command_pin(int argc, char **argv);
int command_unpin(int argc, char **argv);
int command_withdraw(int argc, char **argv);
int command_document(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_status(int argc, char **argv);
int command_fills(int argc, char **argv);
int command_gc(int argc, char **argv);
int command_import(int argc, char **argv);
int command_import_docs(int argc, char **argv);
int command_export(int argc, char **argv);
int command_keygen(int argc, char **argv);

#endif
