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

/* Copies a file into a new spool of these blobs, complete, which the caller owns. ERR_INTERNAL where its
 * bytes do not have the digest. */
bool blob_copy(int fd, const struct digest *digest, struct read_rate *rate, struct blobs *into,
	struct spool **out, struct err *err);

#endif
