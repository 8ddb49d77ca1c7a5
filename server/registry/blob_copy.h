/* SPDX-License-Identifier: Apache-2.0
 *
 * A blob's bytes into a spool, held against their digest on the way: for a backup, and back. */
#ifndef SERVER_REGISTRY_BLOB_COPY_H
#define SERVER_REGISTRY_BLOB_COPY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/registry/paced_blob.h"

struct blobs;
struct spool;

/* What fails here on account of where a blob comes from has one of two codes, as opposed to what is the fault
 * of where it is to be: it is gone (ERR_NOT_FOUND), or cannot be read, or is damaged (ERR_DIGEST_MISMATCH).
 * blame gives a failure that code, where it is nothing that passes, and answers false. */
bool blob_copy_blame(struct err *err);
bool blob_copy_is_blamed(const struct err *err);

/* Copies a file into a new spool of these blobs, complete, which the caller owns. */
bool blob_copy(int fd, const struct digest *digest, struct read_rate *rate, struct blobs *into,
	struct spool **out, struct err *err);

#endif
