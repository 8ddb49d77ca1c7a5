/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an export may be written to. */
#ifndef SERVER_COMMAND_EXPORT_PLACE_H
#define SERVER_COMMAND_EXPORT_PLACE_H

#include <stdbool.h>

#include "common/err.h"

/* Whether the name is that of a compressed file, which would become a folder. */
bool export_place_is_compressed(const char *path);

/* ERR_CONFLICT where the place is in the data folder, which has files of the daemon's alone. */
bool export_place_check(const char *path, const char *data_dir, struct err *err);

/* Whether a bundle goes into one file there, rather than a folder. */
bool export_place_is_tar(const char *path);

#endif
