/* SPDX-License-Identifier: Apache-2.0
 *
 * Removes from a bucket what nobody needs there: blobs that no identity names and those of versions that were
 * withdrawn, leases and hints of long ago; and mirrored blobs over a limit, those first that were not used
 * for longest. Identities and tombstones stay for ever. Ages are those of the store's own clock.
 *
 * Whoever keeps a blob that he finds there looks for it again once it has a name, and writes it anew before
 * where it is half as old as what may go (vault_bucket.c): so none goes between his look and its name. */
#ifndef SERVER_VAULT_BUCKET_SWEEP_H
#define SERVER_VAULT_BUCKET_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"

struct bucket;

enum { SWEEP_GRACE_S = 24 * 3600, SWEEP_KEEP_S = 7 * 24 * 3600 };

enum sweep_reason {
	SWEEP_UNNAMED,   /* no identity names it */
	SWEEP_WITHDRAWN, /* all that name it were withdrawn */
	SWEEP_LIMIT,     /* mirrored, and over the limit */
	SWEEP_LEASE,     /* not written for SWEEP_KEEP_S */
	SWEEP_HINT,
	SWEEP_REASON_COUNT
};

struct sweep_item {
	const char *key;
	enum sweep_reason reason;
	int64_t size_bytes;
	int64_t age_s;
};

struct sweep {
	struct bucket *bucket;
	int64_t grace_s;
	int64_t max_bytes; /* of mirrored blobs; 0: no limit */
	bool dry_run;
	/* What this node knows of a mirrored name: when it was last used here (0: never), and whether it is
	 * to stay (pinned). */
	bool (*look)(void *context, const struct name *name, int64_t *used_s, bool *stays, struct err *err);
	void (*tell)(void *context, const struct sweep_item *item);
	void *context;
};

/* Takes a request an identity, and 64 bytes of memory. False where it cannot go on, or an identity is none
 * that it can read: then nothing was removed, or only what was told of. */
bool bucket_sweep_run(const struct sweep *sweep, struct err *err);

#endif
