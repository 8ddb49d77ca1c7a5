/* SPDX-License-Identifier: Apache-2.0
 *
 * An archive into a new folder: what the strict reader takes, regular files and folders alone, and nothing
 * outside of that folder whatever the archive says. */
#ifndef SERVER_COMMAND_EXTRACTION_H
#define SERVER_COMMAND_EXTRACTION_H

#include <stdbool.h>

#include "common/err.h"

/* Files get this mode, less the mask of the process. The folder is there wholly and durably, or not at all.
 * ERR_CONFLICT where something has that name; ERR_INVALID_MODULE for an archive that is broken, or has what
 * no module has. */
bool extraction_run(int archive_fd, const char *folder, unsigned file_mode, struct err *err);

#endif
