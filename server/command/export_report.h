/* SPDX-License-Identifier: Apache-2.0
 *
 * What an export says when it ends: for people, and for programs. */
#ifndef SERVER_COMMAND_EXPORT_REPORT_H
#define SERVER_COMMAND_EXPORT_REPORT_H

#include <stdbool.h>

#include "common/err.h"
#include "server/bundle/exporting.h"
#include "server/bundle/selection.h"
#include "server/bundle/signature.h"

enum export_ending { EXPORT_FAILED, EXPORT_LOOKED, EXPORT_WRITTEN, EXPORT_MENDED, EXPORT_WAS_THERE };

struct export_telling {
	enum export_ending ending;
	const char *path; /* NULL: none was given */
	int pieces;       /* that it is in; 0: it is not cut */
	bool dry_run;
	const struct export_report *report;
	const struct selection *selection;
	const struct damages *damages;
	const struct signing_key *key; /* NULL: it is not signed */
	const struct err *failure;     /* of EXPORT_FAILED */
};

/* Prints it on standard output: of a failure nothing for people, and for programs why. */
void export_report_print(const struct export_telling *telling, bool as_json);

#endif
