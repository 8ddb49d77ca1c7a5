/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/keeper.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"

struct keeper {
	pthread_mutex_t mutex; /* guards the span between a blob's file and its row */
	struct catalog *catalog;
	struct blobs *blobs;
};

struct keeper *keeper_create(struct catalog *catalog, struct blobs *blobs)
{
	struct keeper *keeper = mem_zero(1, sizeof *keeper);

	(void)pthread_mutex_init(&keeper->mutex, NULL);
	keeper->catalog = catalog;
	keeper->blobs = blobs;
	return keeper;
}

void keeper_destroy(struct keeper *keeper)
{
	if (!keeper)
		return;
	(void)pthread_mutex_destroy(&keeper->mutex);
	free(keeper);
}

/* After a row could not be written: the blob goes again, unless another version has it. */
static void undo_adoption(struct keeper *keeper, const struct digest *digest)
{
	struct err err;
	bool claimed = true;

	if (!catalog_claims_blob(keeper->catalog, digest, &claimed, &err) || claimed)
		return;
	if (!blobs_remove(keeper->blobs, digest, &err))
		log_event(LOG_LEVEL_WARN, "an unclaimed blob stays", "digest", digest->hex, "why", err.text,
			NULL);
}

bool keeper_keep(struct keeper *keeper, struct spool *spool, const struct name *name,
	const struct origin *origin, const struct inspection *inspection, enum kept *out, struct err *err)
{
	const struct digest *digest = &inspection->checksums.sha256;
	bool published = origin->source == SOURCE_PUBLISHED;
	struct keeping keeping = {
		.name = name,
		.source = origin->source,
		.published_by = published ? origin->who : NULL,
		.upstream = published ? NULL : origin->who,
		.checksums = &inspection->checksums,
		.size_bytes = inspection->size_bytes,
		.examination = inspection->examination,
		.now_s = clock_now_s(),
	};

	/* Outside of the lock: this is the long part, and the file has no name yet that others could see. */
	if (!spool_sync(spool, err))
		return false;
	LOCKED(&keeper->mutex);
	if (!blobs_adopt(keeper->blobs, spool, digest, err))
		return false;
	if (!catalog_keep(keeper->catalog, &keeping, out, err)) {
		undo_adoption(keeper, digest);
		return false;
	}
	spool_mark_kept(spool);
	return true;
}

static void remove_orphan(void *context, const struct digest *digest)
{
	struct keeper *keeper = context;
	struct err err;

	if (!blobs_remove(keeper->blobs, digest, &err))
		log_event(LOG_LEVEL_WARN, "a withdrawn blob stays", "digest", digest->hex, "why", err.text,
			NULL);
}

bool keeper_withdraw(struct keeper *keeper, const struct name *name, const char *who, struct err *err)
{
	LOCKED(&keeper->mutex);

	return catalog_withdraw(keeper->catalog, name, who, clock_now_s(), remove_orphan, keeper, err);
}

static bool no_draft_is_claimed(void *context, const char *draft)
{
	(void)context;
	(void)draft;
	return false;
}

bool keeper_sweep_drafts(struct keeper *keeper, struct err *err)
{
	return blobs_sweep_drafts(keeper->blobs, no_draft_is_claimed, NULL, err);
}

struct sweep {
	struct keeper *keeper;
	const _Atomic bool *stop;
};

/* Under the keeper's lock for one blob at a time, so that none is taken for unclaimed between its rename and
 * its row. */
static bool sweep_blob(void *context, const struct digest *digest, int64_t size_bytes)
{
	struct sweep *sweep = context;
	struct keeper *keeper = sweep->keeper;
	struct err err;
	bool claimed = true;
	LOCKED(&keeper->mutex);

	(void)size_bytes;
	if (catalog_claims_blob(keeper->catalog, digest, &claimed, &err) && !claimed) {
		remove_orphan(keeper, digest);
		log_event(LOG_LEVEL_INFO, "removed a blob that nothing claims", "sha256", digest->hex, NULL);
	}
	return !atomic_load(sweep->stop);
}

bool keeper_sweep_blobs(struct keeper *keeper, const _Atomic bool *stop, struct err *err)
{
	struct sweep sweep = {keeper, stop};

	return blobs_each(keeper->blobs, sweep_blob, &sweep, err);
}
