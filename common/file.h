/* SPDX-License-Identifier: Apache-2.0
 *
 * Files and folders, as far as the C library does not say it in one call. */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"

/* Writes all bytes at an offset, across short writes and interruptions. 0, or the errno that it failed with.
 */
int file_put_at(int fd, const void *bytes, size_t length, int64_t offset);

/* The same; what it failed with as a sentence. */
bool file_write_at(int fd, const void *bytes, size_t length, int64_t offset, struct err *err);

/* Reads up to length bytes at an offset; *out_read is less only at the end of the file. */
bool file_read_at(int fd, void *bytes, size_t length, int64_t offset, size_t *out_read, struct err *err);

/* Whether the byte at this offset is there and in memory: reading it would not wait for a disk. Where the
 * kernel cannot tell, it is read. */
bool file_has_at_hand(int fd, int64_t offset);

/* The same for a part of the file, as far as some of its bytes tell: the kernel reads and drops pages in
 * runs. */
bool file_part_at_hand(int fd, int64_t offset, int64_t length);

/* As file_read_at, of what is in memory; *out_cold: the first byte is not, and nothing was read. */
bool file_read_at_hand(int fd, void *bytes, size_t length, int64_t offset, size_t *out_read, bool *out_cold,
	struct err *err);

/* Appends a whole file to *out; ERR_TOO_LARGE when it has more than limit bytes. */
bool file_read_all(const char *path, size_t limit, struct buffer *out, struct err *err);

/* Creates a folder and its parents with mode 0750 where they are missing; their names are durable on return.
 */
bool file_make_folders(const char *path, struct err *err);

/* The same, for what others may read: with as wide a mode as the mask of the process allows. */
bool file_make_open_folders(const char *path, struct err *err);

/* Takes the descriptors 0 to 2 where the caller left one closed: else the next file that is opened becomes
 * standard output or error, and is written to. Reading them finds the end, writing them fails as before. To
 * be called before any other file is opened. */
bool file_open_standard(struct err *err);

/* Makes the names in a folder durable. */
bool file_sync_folder(int folder_fd, struct err *err);

#endif
