/* SPDX-License-Identifier: Apache-2.0
 *
 * A bundle that goes into a running daemon: its head first, then what the daemon lacks, then it has the whole
 * recorded. What has come stays there for a week, so that an import which was interrupted goes on. */
#ifndef SERVER_COMMAND_IMPORT_REMOTE_H
#define SERVER_COMMAND_IMPORT_REMOTE_H

#include <stdbool.h>

#include "common/err.h"
#include "server/bundle/signature.h"
#include "server/command/import_talk.h"
#include "server/command/remote.h"

/* Answers as importer_run() does. The key is held against the signature here and there. */
bool import_remote(struct remote *remote, const struct signing_key *key, struct import_talk *talk,
	struct import_report *report, struct err *err);

#endif
