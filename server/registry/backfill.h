/* SPDX-License-Identifier: Apache-2.0
 *
 * Computes what verification leaves out: the MD5 of blobs, for x-goog-hash, after they were kept and on a
 * thread that runs when nothing else wants to; then the listings and the digests of files that are
 * missing. What is missing is what the catalog does not have, so that a restart forgets nothing. */
#ifndef SERVER_REGISTRY_BACKFILL_H
#define SERVER_REGISTRY_BACKFILL_H

#include "common/err.h"
#include "common/own.h"
#include "server/registry/committer.h"

struct backfill;

/* Starts its thread, which begins with what an earlier process left. All must outlive it. destroy takes NULL.
 */
bool backfill_create(struct catalog *catalog, struct blobs *blobs, struct committer *committer,
	struct backfill **out, struct err *err);
void backfill_destroy(struct backfill *backfill);
AUTO_CLEANER(own_backfill, struct backfill *, backfill_destroy)
#define AUTO_BACKFILL AUTO(own_backfill)

/* Something was kept that may lack any of these. Quick. */
void backfill_notice(struct backfill *backfill);

#endif
