/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of an archive that lies here, with their digests. */
#ifndef SERVER_COMMAND_ARCHIVE_FILES_H
#define SERVER_COMMAND_ARCHIVE_FILES_H

#include "common/err.h"
#include "server/attest/file_manifest.h"

/* Reads a tar.gz from its beginning: its files, sorted; *complete tells whether these are all, since no more
 * are listed of one than so many. ERR_BAD_REQUEST where it is none. */
bool archive_files_read(int fd, struct file_manifest *out, bool *complete, struct err *err);

#endif
