/* SPDX-License-Identifier: Apache-2.0
 *
 * What an import says to people and programs, wherever it goes to: how far it is, what is the matter with
 * what is in the bundle, and what has come of it. */
#ifndef SERVER_COMMAND_IMPORT_TALK_H
#define SERVER_COMMAND_IMPORT_TALK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/command/command.h"
#include "server/command/progress_bar.h"
#include "server/command/remote.h"
#include "server/config.h"
#include "server/registry/importer.h"

struct import_options {
	const char *path;
	const char *key;
	struct place_options place;
	const char *as;
	struct name name; /* that of --as */
	struct remote_options remote;
	bool is_remote; /* into a daemon */
	bool json;
	bool dry_run;
	bool partial;
};

struct import_talk {
	const struct import_options *options;
	const struct config *config; /* of the data folder; NULL: it goes to a daemon */
	struct progress_bar bar;
	json_t *remarks;
	size_t more;
};

/* Both must outlive it. */
void import_talk_init(
	struct import_talk *talk, const struct import_options *options, const struct config *config);
void import_talk_finish(struct import_talk *talk);

/* For an import's order: its context is the talk. */
void import_talk_tell(void *talk, const struct import_told *told);
void import_talk_show(void *talk, const struct import_progress *progress);

/* A remark with the findings as JSON: a list of rule, path and message. The told words may be a stranger's.
 */
void import_talk_remark(struct import_talk *talk, const struct import_told *told, json_t *findings);

/* What has come of it, and why it failed (NULL: it did not). Returns an exit status. */
int import_talk_report(struct import_talk *talk, const struct import_report *report,
	const struct signing_key *key, const struct err *err);

#endif
