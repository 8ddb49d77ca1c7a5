/* SPDX-License-Identifier: Apache-2.0
 *
 * Files on a medium that is carried: written over what an earlier attempt left there, and what is said where
 * it takes no more. */
#ifndef SERVER_BUNDLE_MEDIUM_H
#define SERVER_BUNDLE_MEDIUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* What writing to path failed with, and what to do. Always false. */
bool medium_failed(struct err *err, int number, const char *path);

/* As medium_failed() where the medium itself has failed; else false is all, and err stays as it is. What
 * calls this has just failed with number. */
bool medium_explain(struct err *err, int number, const char *path);

/* What reading from a bundle on a medium failed with, and what to do; what says what was tried ("open",
 * "read"). ERR_INTERNAL where the medium itself has failed. Always false. */
bool medium_unread(struct err *err, int number, const char *what, const char *path);

/* Reads up to length bytes; *out_read is less only at the end of the file. */
bool medium_read(int fd, const char *path, void *bytes, size_t length, int64_t offset, size_t *out_read,
	struct err *err);

bool medium_write(
	int fd, const char *path, const void *bytes, size_t length, int64_t offset, struct err *err);

/* The same over bytes that may be there already: of those before *known_end, which are read, only others are
 * written. */
bool medium_write_over(int fd, const char *path, const void *bytes, size_t length, int64_t offset,
	int64_t known_end, struct err *err);

/* Whether a file has these bytes there. */
bool medium_has(int fd, const void *bytes, size_t length, int64_t offset);

/* What was proved at path is not what it should be. Always false. */
bool medium_differs(struct err *err, const char *path);

/* Makes a new, empty file in the folder; what has its name (a link, a pipe, a file with another name) goes,
 * and is not written into. folder is for words. */
bool medium_create(int folder_fd, const char *folder, const char *name, int *out_fd, struct err *err);

/* Writes a small file wholly and durably in the place of whatever has that name in the folder; nobody sees a
 * part of it. folder is for words. */
bool medium_replace(int folder_fd, const char *folder, const char *name, const char *text, size_t length,
	struct err *err);

/* Whether nobody else writes there: locks the file or folder until it is closed. ERR_CONFLICT. */
bool medium_lock(int fd, const char *path, struct err *err);

#endif
