/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a zip, as kagglehub sends those of a large folder, one behind the other in a draft. */
#ifndef SERVER_REGISTRY_ZIP_PIECES_H
#define SERVER_REGISTRY_ZIP_PIECES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/archives/archive_limits.h"
#include "server/registry/inflow.h"
#include "server/registry/pieces.h"

/* Reads the zip in this file by libarchive, and pours its files into the inflow, which is open. Nothing is
 * made on the disk by any name in it: links and other things than files and folders are refused, as are names
 * that lead out of the folder, passwords, and more than the limits allow. ERR_INVALID_MODULE, ERR_NO_SPACE.
 */
bool zip_pieces_read(int fd, int64_t zip_bytes, const struct archive_limits *limits, struct inflow *inflow,
	struct pieces *out, struct err *err);

/* Whether a relative path is one in normal form: no empty segment, "." or "..", no backslash at its start. */
bool zip_pieces_is_path(const char *path);

#endif
