/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/keeper.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/registry/commits.h"
#include "server/registry/span.h"
#include "server/store/catalog/catalog_fills.h"

/* Upstreams seldom tell what they changed, and nobody has asked for it since. */
enum { DRAFT_AGE_MAX_S = 24 * 3600 };

enum { EVICTED_AT_ONCE = 64 };

struct keeper {
	struct span *span;
	struct commits *commits;
	struct catalog *catalog;
	struct blobs *blobs;
	struct members *members;                          /* or NULL */
	void (*forget)(void *context, const char *label); /* NULL: nobody remembers */
	void *forget_context;
	void (*kept)(void *context); /* NULL: nobody wants to know */
	void *kept_context;
};

struct keeper *keeper_create(struct catalog *catalog, struct blobs *blobs, struct members *members)
{
	struct keeper *keeper = mem_zero(1, sizeof *keeper);

	keeper->span = span_create(blobs);
	keeper->commits = commits_create(catalog, blobs);
	keeper->catalog = catalog;
	keeper->blobs = blobs;
	keeper->members = members;
	return keeper;
}

void keeper_destroy(struct keeper *keeper)
{
	if (!keeper)
		return;
	commits_destroy(keeper->commits);
	span_destroy(keeper->span);
	free(keeper);
}

void keeper_set_forget(struct keeper *keeper, void (*forget)(void *context, const char *label), void *context)
{
	keeper->forget = forget;
	keeper->forget_context = context;
}

void keeper_set_kept(struct keeper *keeper, void (*kept)(void *context), void *context)
{
	keeper->kept = kept;
	keeper->kept_context = context;
}

static void forget(const struct keeper *keeper, const char *label)
{
	if (keeper->forget)
		keeper->forget(keeper->forget_context, label);
}

/* After a row could not be written: the blob goes again, unless another version has it. Alone, so that it is
 * not one that waits for its row. */
static void undo_adoption(struct keeper *keeper, const struct digest *digest)
{
	struct err err;
	bool claimed = true;
	ALONE(keeper->span);

	if (!catalog_claims_blob(keeper->catalog, digest, &claimed, &err) || claimed)
		return;
	if (!blobs_remove(keeper->blobs, digest, &err))
		log_event(LOG_LEVEL_WARN, "an unclaimed blob stays", "digest", digest->hex, "why", err.text,
			NULL);
}

/* After another process had the database for too long; where the bytes cannot be had again, that is why. */
static void return_draft(
	struct keeper *keeper, struct spool *spool, const struct digest *digest, struct err *err)
{
	if (err->code == ERR_BUSY)
		(void)blobs_return(keeper->blobs, spool, digest, err);
}

static struct keeping keeping_of(
	const struct name *name, const struct origin *origin, const struct inspection *inspection)
{
	bool published = origin->source == SOURCE_PUBLISHED;

	return (struct keeping){
		.name = name,
		.source = origin->source,
		.published_by = published ? origin->who : NULL,
		.upstream = published ? NULL : origin->who,
		.checksums = &inspection->checksums,
		.size_bytes = inspection->size_bytes,
		.examination = inspection->examination,
		.now_s = clock_now_s(),
	};
}

/* The file, then its row: nobody removes the one before the other is there. */
static bool adopt_and_record(struct keeper *keeper, struct spool *spool, const struct keeping *keeping,
	enum kept *out, struct err *err)
{
	const struct digest *digest = &keeping->checksums->sha256;
	SHARED(keeper->span);

	if (!blobs_adopt(keeper->blobs, spool, digest, err))
		return false;
	if (!commits_keep(keeper->commits, keeping, out, err)) {
		if (err->code == ERR_QUARANTINED)
			forget(keeper, name_path(keeping->name).text);
		return_draft(keeper, spool, digest, err);
		return false;
	}
	/* The file took the place of one with the same bytes, if there was one: nobody is to keep that open.
	 */
	forget(keeper, digest->hex);
	if (keeper->kept && !keeping->checksums->has_md5)
		keeper->kept(keeper->kept_context);
	return true;
}

bool keeper_record_md5(struct keeper *keeper, const struct blob_md5 *items, size_t count, struct err *err)
{
	if (!catalog_record_md5(keeper->catalog, items, count, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (items[i].known)
			forget(keeper, items[i].digest.hex);
	}
	return true;
}

bool keeper_keep(struct keeper *keeper, struct spool *spool, const struct name *name,
	const struct origin *origin, const struct inspection *inspection, enum kept *out, struct err *err)
{
	const struct keeping keeping = keeping_of(name, origin, inspection);

	/* Outside of the span: this is the long part, and the file has no name yet that others could see. */
	if (!blobs_prepare(spool, err))
		return false;
	if (adopt_and_record(keeper, spool, &keeping, out, err))
		return true;
	undo_adoption(keeper, &inspection->checksums.sha256);
	return false;
}

bool keeper_compare(struct keeper *keeper, const struct name *name, const struct origin *origin,
	const struct inspection *inspection, struct err *err)
{
	const struct keeping keeping = keeping_of(name, origin, inspection);
	struct artifact artifact;
	enum kept kept;
	bool found;
	ALONE(keeper->span);

	if (!catalog_find_artifact(keeper->catalog, name, &artifact, &found, err))
		return false;
	if (!found || (artifact.state == STATE_ACTIVE && artifact_check_published(&artifact, err) &&
			      (!artifact.recorded ||
				      digest_equal(&artifact.checksums.sha256, &keeping.checksums->sha256))))
		return true;
	/* It refuses them, and writes down why. */
	(void)catalog_keep(keeper->catalog, &keeping, &kept, err);
	if (err->code == ERR_QUARANTINED)
		forget(keeper, name_path(name).text);
	return false;
}

static void remove_unpacked(struct keeper *keeper, const struct digest *digest)
{
	struct err err;

	if (keeper->members && !members_remove(keeper->members, digest, &err))
		log_event(LOG_LEVEL_WARN, "unpacked files that nothing claims stay", "digest", digest->hex,
			"why", err.text, NULL);
}

static void remove_orphan(void *context, const struct digest *digest)
{
	struct keeper *keeper = context;
	struct err err;

	remove_unpacked(keeper, digest);
	if (!blobs_remove(keeper->blobs, digest, &err))
		log_event(LOG_LEVEL_WARN, "a blob that nothing claims stays", "digest", digest->hex, "why",
			err.text, NULL);
}

bool keeper_withdraw(struct keeper *keeper, const struct name *name, const char *who, struct err *err)
{
	bool withdrawn;
	ALONE(keeper->span);

	withdrawn = catalog_withdraw(keeper->catalog, name, who, clock_now_s(), remove_orphan, keeper, err);
	/* Withdrawing is how room is made: it must not need any. */
	if (!withdrawn && err->code == ERR_NO_SPACE && blobs_spend_reserve(keeper->blobs))
		withdrawn = catalog_withdraw(
			keeper->catalog, name, who, clock_now_s(), remove_orphan, keeper, err);
	/* Only now: what was looked up before the row changed is told apart by the forgetting. */
	forget(keeper, name_path(name).text);
	return withdrawn;
}

/* ---- evicting ---- */

struct batch {
	struct keeper *keeper;
	size_t count;
	struct digest digests[EVICTED_AT_ONCE];
	int fds[EVICTED_AT_ONCE]; /* hold back who would read meanwhile */
};

static void finish_batch(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		own_close(&batch->fds[i]);
}

static bool take_unread(void *context, const struct digest *digest, int64_t size_bytes)
{
	struct batch *batch = context;

	(void)size_bytes;
	/* Who only keeps it at hand does not read it. */
	forget(batch->keeper, digest->hex);
	if (!blobs_offer(batch->keeper->blobs, digest, &batch->fds[batch->count]))
		return false;
	batch->digests[batch->count++] = *digest;
	return true;
}

/* *eviction gains what went. */
static bool evict_batch(struct keeper *keeper, struct eviction *eviction, struct err *err)
{
	AUTO(finish_batch) struct batch batch = {.keeper = keeper};
	size_t left = eviction->max_blobs - eviction->count;
	struct eviction part = {.wanted_bytes = eviction->wanted_bytes - eviction->bytes,
		.max_blobs = left < EVICTED_AT_ONCE ? left : EVICTED_AT_ONCE,
		.behind = eviction->behind};
	ALONE(keeper->span);

	if (!catalog_evict(keeper->catalog, &part, take_unread, &batch, err))
		return false;
	for (size_t i = 0; i < batch.count; i++) {
		/* Again: it may have been taken up once more before the row changed. */
		forget(keeper, batch.digests[i].hex);
		remove_orphan(keeper, &batch.digests[i]);
	}
	eviction->bytes += part.bytes;
	eviction->count += part.count;
	eviction->withheld_bytes += part.withheld_bytes;
	eviction->behind = part.behind;
	return true;
}

bool keeper_evict(struct keeper *keeper, struct eviction *eviction, struct err *err)
{
	size_t before;

	do {
		before = eviction->count;
		if (!evict_batch(keeper, eviction, err) &&
			(err->code != ERR_NO_SPACE || !blobs_spend_reserve(keeper->blobs) ||
				!evict_batch(keeper, eviction, err)))
			return false;
	} while (eviction->count > before && eviction->count < eviction->max_blobs &&
		 eviction->bytes < eviction->wanted_bytes);
	return true;
}

bool keeper_check_lost(struct keeper *keeper, const struct digest *digest, bool *lost, struct err *err)
{
	AUTO_FD int fd = -1;
	int64_t size_bytes;
	bool claimed;
	ALONE(keeper->span);

	*lost = false;
	if (!catalog_claims_blob(keeper->catalog, digest, &claimed, err))
		return false;
	if (!claimed || blobs_read(keeper->blobs, digest, &fd, &size_bytes, err))
		return true;
	if (err->code != ERR_NOT_FOUND)
		return false;
	*lost = true;
	remove_unpacked(keeper, digest);
	return catalog_forget_blob(keeper->catalog, digest, err);
}

/* ---- sweeping ---- */

/* What cannot be told is kept: another start may know. */
static bool is_claimed(void *context, const char *draft)
{
	struct keeper *keeper = context;
	struct err err;
	bool claimed;

	return !catalog_claims_draft(keeper->catalog, draft, &claimed, &err) || claimed;
}

bool keeper_sweep_drafts(struct keeper *keeper, struct err *err)
{
	return catalog_forget_old_fills(keeper->catalog, clock_now_s() - DRAFT_AGE_MAX_S, err) &&
	       blobs_sweep_drafts(keeper->blobs, is_claimed, keeper, err);
}

struct sweep {
	struct keeper *keeper;
	const _Atomic bool *stop;
};

/* Alone in the span for one blob at a time, so that none is taken for unclaimed between its rename and
 * its row. */
static bool sweep_blob(void *context, const struct digest *digest, int64_t size_bytes)
{
	struct sweep *sweep = context;
	struct keeper *keeper = sweep->keeper;
	struct err err;
	bool claimed = true;
	ALONE(keeper->span);

	(void)size_bytes;
	if (catalog_claims_blob(keeper->catalog, digest, &claimed, &err) && !claimed) {
		remove_orphan(keeper, digest);
		log_event(LOG_LEVEL_INFO, "removed a blob that nothing claims", "sha256", digest->hex, NULL);
	}
	return !atomic_load(sweep->stop);
}

static bool sweep_unpacked(void *context, const struct digest *digest, int64_t bytes)
{
	struct sweep *sweep = context;
	struct err err;
	bool claimed = true;
	ALONE(sweep->keeper->span);

	(void)bytes;
	if (catalog_claims_blob(sweep->keeper->catalog, digest, &claimed, &err) && !claimed)
		remove_unpacked(sweep->keeper, digest);
	return !atomic_load(sweep->stop);
}

bool keeper_sweep_blobs(struct keeper *keeper, const _Atomic bool *stop, struct err *err)
{
	struct sweep sweep = {keeper, stop};

	if (!blobs_each(keeper->blobs, sweep_blob, &sweep, err))
		return false;
	if (keeper->members)
		(void)members_each(keeper->members, sweep_unpacked, &sweep);
	return true;
}
