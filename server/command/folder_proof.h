/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the file system of a folder does what the store builds on: tried, not asked. */
#ifndef SERVER_COMMAND_FOLDER_PROOF_H
#define SERVER_COMMAND_FOLDER_PROOF_H

#include <stdbool.h>

#include "common/err.h"

/* Tries in a new folder inside of this one, which is removed again. ERR_INTERNAL where something does not
 * work that the store needs; *out_lacks: what only spares room or time and does not work, or "". */
struct folder_lacks {
	char text[128];
};
bool folder_proof_run(const char *folder, struct folder_lacks *out_lacks, struct err *err);

#endif
