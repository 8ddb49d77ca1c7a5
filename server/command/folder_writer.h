/* SPDX-License-Identifier: Apache-2.0
 *
 * Files and folders into a folder that nobody else writes to, by libarchive with its flags for what strangers
 * named: nothing is made outside of it, through a link, or in the place of something else. */
#ifndef SERVER_COMMAND_FOLDER_WRITER_H
#define SERVER_COMMAND_FOLDER_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct folder_writer;

/* Writes into the folder that is open as root, in which the process works until close: for commands that have
 * one thread. Files and folders get these modes, less the mask of the process. close takes NULL. */
struct folder_writer_modes {
	unsigned file;
	unsigned folder;
};
bool folder_writer_open(
	int root, const struct folder_writer_modes *modes, struct folder_writer **out, struct err *err);
void folder_writer_close(struct folder_writer *writer);
AUTO_CLEANER(own_folder_writer, struct folder_writer *, folder_writer_close)
#define AUTO_FOLDER_WRITER AUTO(own_folder_writer)

/* A folder, with those above it; one that is there already stays. As of a file, ERR_INVALID_MODULE where the
 * name leads out of the root, or a file stands where a folder must be or the other way round. */
bool folder_writer_add_folder(struct folder_writer *writer, const char *name, struct err *err);

/* A file begins, in the place of one with that name: size_bytes of content must follow. */
bool folder_writer_add_file(
	struct folder_writer *writer, const char *name, int64_t size_bytes, struct err *err);
bool folder_writer_write(struct folder_writer *writer, const void *bytes, size_t length, struct err *err);

/* All is written, though not durable yet. */
bool folder_writer_finish(struct folder_writer *writer, struct err *err);

#endif
