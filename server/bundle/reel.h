/* SPDX-License-Identifier: Apache-2.0
 *
 * A long file to read from, or the pieces that it was split into as if they were one. Which piece is where is
 * what FILE.pieces says; a piece that is missing, or is not as long as it says, is named. */
#ifndef SERVER_BUNDLE_REEL_H
#define SERVER_BUNDLE_REEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct reel;

/* path: a file, FILE where only FILE.pieces is, FILE.pieces, or any one of the pieces. ERR_NOT_FOUND names
 * what is missing. close takes NULL.
 */
bool reel_open(const char *path, struct reel **out, struct err *err);
/* The same of a file that is open, and stays the caller's: by this name it is told of. stop, which may be
 * NULL and must outlive it: once it is set, whatever is read fails with ERR_BUSY. */
bool reel_open_file(int fd, const char *name, const _Atomic bool *stop, struct reel **out, struct err *err);
void reel_close(struct reel *reel);
AUTO_CLEANER(own_reel, struct reel *, reel_close)
#define AUTO_REEL AUTO(own_reel)

/* FILE.pieces, where path is named like a piece and that is not there; NULL. free() it. */
char *reel_missing_manifest(const char *path);

int64_t reel_size(const struct reel *reel);

/* Reads up to length bytes at an offset; *out_read is less only at the end. */
bool reel_read_at(
	struct reel *reel, void *bytes, size_t length, int64_t offset, size_t *out_read, struct err *err);

/* Reads all pieces for their digests; ERR_DIGEST_MISMATCH names those whose copies are to be made again.
 * shown, which may be NULL, hears how far it is. True at once for what is not in pieces. */
bool reel_prove(struct reel *reel, void (*shown)(void *context, int64_t done, int64_t total), void *context,
	struct err *err);

/* The file that has the byte at this offset: whose copy is to be made again where it is damaged. */
const char *reel_file_at(const struct reel *reel, int64_t offset);

#endif
