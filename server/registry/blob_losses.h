/* SPDX-License-Identifier: Apache-2.0
 *
 * Blobs that were found to be damaged: nobody gets their bytes from then on, and what was lost can be made
 * anew of bytes that have its digest. Safe beside a daemon. */
#ifndef SERVER_REGISTRY_BLOB_LOSSES_H
#define SERVER_REGISTRY_BLOB_LOSSES_H

#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"

struct blobs;
struct catalog;
struct committer;
struct spool;

struct blob_losses {
	struct catalog *catalog;
	struct blobs *blobs;
	struct committer *committer; /* of these stores; it has forgotten what nobody is to get */
};

/* Takes a blob out of the store whose file, this one, has other bytes than it should: its row says that it is
 * not here. A published one is put aside, where people may look at it (blobs_put_aside()), others are
 * removed. *condemned is false where the file is another by now, or nothing claims it. */
bool blob_losses_condemn(const struct blob_losses *losses, const struct digest *digest, int fd,
	bool is_published, bool *condemned, struct err *err);

/* Makes a blob that is not in the store anew of a complete spool whose bytes have this digest: durable on
 * return, and all names that have it are served again. *mended is false where nothing lacks it. */
bool blob_losses_mend(const struct blob_losses *losses, const struct digest *digest, struct spool *spool,
	bool *mended, struct err *err);

#endif
