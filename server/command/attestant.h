/* SPDX-License-Identifier: Apache-2.0
 *
 * Signs what a command publishes: its attestations, made before anything is sent, and sent around it. */
#ifndef SERVER_COMMAND_ATTESTANT_H
#define SERVER_COMMAND_ATTESTANT_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/command/options.h"
#include "server/command/remote.h"
#include "server/module/name.h"

struct signing_options {
	const char *key; /* NULL: nothing is signed, and the others must be NULL too */
	const char *builder;
	const char *source;
	const char *time;
	const char *folder; /* where they are written, too; NULL: nowhere */
};
extern const struct option_row signing_option_rows[];

/* Whether the options fit each other; a sentence for people. */
bool signing_options_check(const struct signing_options *options, struct err *err);

struct attestant;

/* Makes the attestations of the artifact in fd: its provenance, and of an archive the list of its files. *out
 * is NULL where nothing is to be signed. destroy takes NULL. */
bool attestant_create(const struct signing_options *options, const struct name *name, int fd,
	struct attestant **out, struct err *err);
void attestant_destroy(struct attestant *attestant);
AUTO_CLEANER(own_attestant, struct attestant *, attestant_destroy)
#define AUTO_ATTESTANT AUTO(own_attestant)

/* Sends those that are not there yet: before the artifact, since it may have to be signed. Takes NULL. */
bool attestant_send(struct attestant *attestant, struct remote *remote, struct err *err);

/* Appends to a version's JSON what was sent: "attested". Takes NULL. */
void attestant_tell_json(const struct attestant *attestant, json_t *version);
/* The same as lines on stdout. */
void attestant_tell(const struct attestant *attestant);

#endif
