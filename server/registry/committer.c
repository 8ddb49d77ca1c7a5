/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/committer.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/registry/commits.h"
#include "server/registry/shared_holds.h"
#include "server/registry/span.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_fills.h"
#include "server/store/catalog/catalog_known.h"

/* Upstreams seldom tell what they changed, and nobody has asked for it since. */
enum { DRAFT_AGE_MAX_S = 24 * 3600 };

enum { EVICTED_AT_ONCE = 64, UNSTAGED_AT_ONCE = 64, NODE_LETTERS = 32 };

struct committer {
	struct vault *vault;
	struct digest node; /* random bytes: whose deposits are whose */
	struct span *span;
	struct inspection_places *places;
	struct commits *commits;
	struct catalog *catalog;
	struct blobs *blobs;
	struct members *members;                          /* or NULL */
	void (*forget)(void *context, const char *label); /* NULL: nobody remembers */
	void *forget_context;
	void (*kept)(void *context); /* NULL: nobody wants to know */
	void *kept_context;
};

struct committer *committer_create(
	struct catalog *catalog, struct blobs *blobs, struct members *members, struct vault *vault)
{
	struct committer *committer = mem_zero(1, sizeof *committer);
	uint8_t node[sizeof committer->node.bytes];

	random_bytes(node, sizeof node);
	committer->node = digest_from_bytes(node);
	committer->vault = vault;
	committer->span = span_create(blobs);
	committer->places = inspection_places_create(INSPECTION_PATIENCE_MS);
	committer->commits = commits_create(catalog, blobs);
	committer->catalog = catalog;
	committer->blobs = blobs;
	committer->members = members;
	return committer;
}

void committer_destroy(struct committer *committer)
{
	if (!committer)
		return;
	commits_destroy(committer->commits);
	span_destroy(committer->span);
	inspection_places_destroy(committer->places);
	free(committer);
}

void committer_set_forget(
	struct committer *committer, void (*forget)(void *context, const char *label), void *context)
{
	committer->forget = forget;
	committer->forget_context = context;
}

bool committer_is_shared(const struct committer *committer)
{
	return vault_is_shared(committer->vault);
}

struct inspection_places *committer_places(const struct committer *committer)
{
	return committer->places;
}

struct vault *committer_vault(const struct committer *committer)
{
	return committer->vault;
}

struct span *committer_span(const struct committer *committer)
{
	return committer->span;
}

bool committer_made(const struct committer *committer, const struct identity *identity)
{
	return strncmp(identity->nonce, committer->node.hex, NODE_LETTERS) == 0;
}

void committer_set_kept(struct committer *committer, void (*kept)(void *context), void *context)
{
	committer->kept = kept;
	committer->kept_context = context;
}

void committer_forget(const struct committer *committer, const char *label)
{
	if (committer->forget)
		committer->forget(committer->forget_context, label);
}

/* After a row could not be written: the blob goes again, unless another version has it. Alone, so that it is
 * not one that waits for its row. */
static void undo_adoption(struct committer *committer, const struct digest *digest)
{
	struct err err;
	bool needed = true;
	ALONE(committer->span);

	if (!catalog_needs_blob(committer->catalog, digest, &needed, &err) || needed)
		return;
	if (!blobs_remove(committer->blobs, digest, &err))
		log_event(LOG_LEVEL_WARN, "an unclaimed blob stays", "digest", digest->hex, "why", err.text,
			NULL);
}

/* After another process had the database for too long; where the bytes cannot be had again, that is why. */
static void return_draft(
	struct committer *committer, struct spool *spool, const struct digest *digest, struct err *err)
{
	if (err->code == ERR_BUSY)
		(void)blobs_return(committer->blobs, spool, digest, err);
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
		.is_new = origin->is_new,
		.held_for = origin->held_for,
		.from = origin->from,
		.now_s = clock_now_s(),
	};
}

/* The file, then its row: nobody removes the one before the other is there. */
static bool adopt_and_record(struct committer *committer, struct spool *spool, const struct keeping *keeping,
	enum kept *out, struct err *err)
{
	const struct digest *digest = &keeping->checksums->sha256;
	SHARED(committer->span);

	if (!blobs_adopt(committer->blobs, spool, digest, err))
		return false;
	if (!commits_keep(committer->commits, keeping, out, err)) {
		if (err->code == ERR_QUARANTINED)
			committer_forget(committer, name_path(keeping->name).text);
		return_draft(committer, spool, digest, err);
		return false;
	}
	/* The file took the place of one with the same bytes, if there was one: nobody is to keep that open.
	 */
	committer_forget(committer, digest->hex);
	if (committer->kept)
		committer->kept(committer->kept_context);
	return true;
}

bool committer_record_md5(
	struct committer *committer, const struct blob_md5 *items, size_t count, struct err *err)
{
	if (!catalog_record_md5(committer->catalog, items, count, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (items[i].known)
			committer_forget(committer, items[i].digest.hex);
	}
	return true;
}

/* A spool's name is its own: who tries the same deposit again has the same nonce. */
static struct deposit deposit_of(const struct committer *committer, struct spool *spool,
	const struct name *name, const struct origin *origin, const struct inspection *inspection)
{
	struct deposit deposit = {.name = name,
		.identity = {.checksums = inspection->checksums,
			.size_bytes = inspection->size_bytes,
			.source = origin->source,
			.at_s = clock_now_s()},
		.fd = spool_fd(spool),
		.is_new = origin->is_new,
		.stop = origin->stop};

	(void)snprintf(
		deposit.identity.who, sizeof deposit.identity.who, "%s", origin->who ? origin->who : "");
	(void)snprintf(deposit.identity.nonce, sizeof deposit.identity.nonce, "%.*s-%s", NODE_LETTERS,
		committer->node.hex, spool_name(spool));
	return deposit;
}

/* Before anybody else can have it. */
static bool hold_for_all(const struct committer *committer, const struct name *name,
	const struct origin *origin, const struct inspection *inspection, struct err *err)
{
	return !origin->held_for || !vault_is_shared(committer->vault) ||
	       shared_holds_add(committer->vault, name, &inspection->checksums.sha256, origin->held_for,
		       origin->who, err);
}

bool committer_deposit(struct committer *committer, struct spool *spool, const struct name *name,
	const struct origin *origin, const struct inspection *inspection, enum deposited *out,
	struct err *err)
{
	struct deposit deposit;

	*out = DEPOSITED_NEW;
	if (!vault_is_shared(committer->vault))
		return true;
	if (!hold_for_all(committer, name, origin, inspection, err))
		return false;
	deposit = deposit_of(committer, spool, name, origin, inspection);
	if (vault_keep(committer->vault, &deposit, out, err))
		return true;
	if (err->code == ERR_CONFLICT && origin->source == SOURCE_MIRRORED) {
		err->code = ERR_QUARANTINED;
		(void)err_prefix(err, "upstream %.60s now has other bytes: ", origin->who);
	}
	return false;
}

/* Whoever was first with all is new, also where somebody here came to his end before. */
static enum kept kept_by_all(const struct committer *committer, enum deposited deposited, enum kept here)
{
	if (deposited == DEPOSITED_BEFORE)
		return KEPT_AGAIN;
	return here == KEPT_AGAIN && vault_is_shared(committer->vault) ? KEPT_NEW_ARTIFACT : here;
}

/* Somebody may have decided of it before, elsewhere. Until that is known here, it is held back. */
void committer_take_decision(struct committer *committer, const struct name *name)
{
	struct err err;

	if (!vault_is_shared(committer->vault))
		return;
	if (!shared_holds_take(committer->vault, committer->catalog, name, &err))
		log_event(LOG_LEVEL_WARN, "what was decided of a version is known here later", "name",
			name_path(name).text, "why", err.text, NULL);
	committer_forget(committer, name_path(name).text);
}

bool committer_commit(struct committer *committer, struct spool *spool, const struct name *name,
	const struct origin *origin, enum deposited deposited, const struct inspection *inspection,
	enum kept *out, struct err *err)
{
	struct keeping keeping = keeping_of(name, origin, inspection);

	keeping.is_settled = vault_is_shared(committer->vault);
	/* Outside of the span: this is the long part, and the file has no name yet that others could see. */
	if (!hold_for_all(committer, name, origin, inspection, err) || !blobs_prepare(spool, err))
		return false;
	if (adopt_and_record(committer, spool, &keeping, out, err)) {
		if (origin->held_for)
			committer_take_decision(committer, name);
		*out = kept_by_all(committer, deposited, *out);
		return true;
	}
	undo_adoption(committer, &inspection->checksums.sha256);
	return false;
}

/* The file, then its row. */
static bool adopt_and_stage(struct committer *committer, struct spool *spool, const struct keeping *keeping,
	bool patient, struct err *err)
{
	const struct digest *digest = &keeping->checksums->sha256;
	SHARED(committer->span);

	if (!blobs_adopt(committer->blobs, spool, digest, err))
		return false;
	if (!catalog_stage_blob(committer->catalog, keeping, patient, err)) {
		return_draft(committer, spool, digest, err);
		return false;
	}
	committer_forget(committer, digest->hex);
	return true;
}

bool committer_stage(struct committer *committer, struct spool *spool, const struct staging *staging,
	const struct inspection *inspection, bool patient, struct err *err)
{
	const struct name name = {.format = staging->format};
	const struct origin origin = {.source = staging->source};
	struct keeping keeping = keeping_of(&name, &origin, inspection);

	keeping.staged_for = &staging->bundle;
	if (!blobs_prepare(spool, err))
		return false;
	if (!adopt_and_stage(committer, spool, &keeping, patient, err)) {
		undo_adoption(committer, &inspection->checksums.sha256);
		return false;
	}
	spool_mark_kept(spool);
	return true;
}

bool committer_compare(struct committer *committer, const struct name *name, const struct origin *origin,
	const struct inspection *inspection, struct err *err)
{
	const struct keeping keeping = keeping_of(name, origin, inspection);
	struct artifact artifact;
	enum kept kept;
	bool found;
	ALONE(committer->span);

	if (!catalog_find_artifact(committer->catalog, name, &artifact, &found, err))
		return false;
	if (!found || (artifact.state == STATE_ACTIVE && artifact_check_published(&artifact, err) &&
			      (!artifact.recorded ||
				      digest_equal(&artifact.checksums.sha256, &keeping.checksums->sha256))))
		return true;
	/* It refuses them, and writes down why. */
	(void)catalog_keep(committer->catalog, &keeping, &kept, err);
	if (err->code == ERR_QUARANTINED)
		committer_forget(committer, name_path(name).text);
	return false;
}

void committer_remove_unpacked(struct committer *committer, const struct digest *digest)
{
	struct err err;

	if (committer->members && !members_remove(committer->members, digest, &err))
		log_event(LOG_LEVEL_WARN, "unpacked files that nothing claims stay", "digest", digest->hex,
			"why", err.text, NULL);
}

static void remove_orphan(void *context, const struct digest *digest)
{
	struct committer *committer = context;
	struct err err;

	committer_remove_unpacked(committer, digest);
	if (!blobs_remove(committer->blobs, digest, &err))
		log_event(LOG_LEVEL_WARN, "a blob that nothing claims stays", "digest", digest->hex, "why",
			err.text, NULL);
}

/* Withdrawing is how room is made: it must not need any. */
static bool withdraw_here(struct committer *committer, const struct withdrawal *withdrawal, struct err *err)
{
	bool withdrawn;
	ALONE(committer->span);

	withdrawn = catalog_withdraw(committer->catalog, withdrawal, remove_orphan, committer, err);
	if (!withdrawn && err->code == ERR_NO_SPACE && blobs_spend_reserve(committer->blobs))
		withdrawn = catalog_withdraw(committer->catalog, withdrawal, remove_orphan, committer, err);
	/* Only now: what was looked up before the row changed is told apart by the forgetting. */
	committer_forget(committer, name_path(withdrawal->name).text);
	return withdrawn;
}

/* What was withdrawn there before, and is not here, was begun by somebody who did not come to its end. */
static bool withdraw_there(
	struct committer *committer, const struct name *name, const char *who, struct err *err)
{
	struct known known;
	bool before;

	return !vault_is_shared(committer->vault) ||
	       (catalog_look(committer->catalog, name, clock_now_s(), &known, err) &&
		       vault_withdraw(committer->vault, name, who, known.version, &before, err));
}

bool committer_withdraw(struct committer *committer, const struct name *name, const char *who,
	const char *from, struct err *err)
{
	const struct withdrawal withdrawal = {
		name, who, clock_now_s(), vault_is_shared(committer->vault), from};

	return withdraw_there(committer, name, who, err) && withdraw_here(committer, &withdrawal, err);
}

bool committer_entomb(struct committer *committer, const struct name *name, struct err *err)
{
	const struct withdrawal withdrawal = {name, NULL, clock_now_s(), true, NULL};

	return withdraw_here(committer, &withdrawal, err);
}

bool committer_decide(struct committer *committer, const struct name *name, const struct decision *decision,
	struct err *err)
{
	bool done = shared_holds_decide(committer->vault, committer->catalog, name, decision, err);

	committer_forget(committer, name_path(name).text);
	return done;
}

/* ---- evicting ---- */

struct batch {
	struct committer *committer;
	bool for_disk;
	int64_t linked_bytes;
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

	if (batch->for_disk && !blobs_is_sole(batch->committer->blobs, digest)) {
		batch->linked_bytes += size_bytes;
		return false;
	}
	/* Who only keeps it at hand does not read it. */
	committer_forget(batch->committer, digest->hex);
	if (!blobs_offer(batch->committer->blobs, digest, &batch->fds[batch->count]))
		return false;
	batch->digests[batch->count++] = *digest;
	return true;
}

/* *eviction gains what went. */
static bool evict_batch(struct committer *committer, struct eviction *eviction, struct err *err)
{
	AUTO(finish_batch) struct batch batch = {.committer = committer, .for_disk = eviction->for_disk};
	size_t left = eviction->max_blobs - eviction->count;
	struct eviction part = {.wanted_bytes = eviction->wanted_bytes - eviction->bytes,
		.max_blobs = left < EVICTED_AT_ONCE ? left : EVICTED_AT_ONCE,
		.behind = eviction->behind};
	ALONE(committer->span);

	if (!catalog_evict(committer->catalog, &part, take_unread, &batch, err))
		return false;
	for (size_t i = 0; i < batch.count; i++) {
		/* Again: it may have been taken up once more before the row changed. */
		committer_forget(committer, batch.digests[i].hex);
		remove_orphan(committer, &batch.digests[i]);
	}
	eviction->bytes += part.bytes;
	eviction->count += part.count;
	eviction->looked += part.looked;
	eviction->over = part.over;
	eviction->withheld_bytes += part.withheld_bytes - batch.linked_bytes;
	eviction->linked_bytes += batch.linked_bytes;
	eviction->behind = part.behind;
	return true;
}

bool committer_evict(struct committer *committer, struct eviction *eviction, struct err *err)
{
	while (!eviction->over && eviction->count < eviction->max_blobs &&
		eviction->bytes < eviction->wanted_bytes) {
		if (!evict_batch(committer, eviction, err) &&
			(err->code != ERR_NO_SPACE || !blobs_spend_reserve(committer->blobs) ||
				!evict_batch(committer, eviction, err)))
			return false;
	}
	return true;
}

bool committer_check_lost(
	struct committer *committer, const struct digest *digest, bool *lost, struct err *err)
{
	AUTO_FD int fd = -1;
	int64_t size_bytes;
	bool claimed;
	ALONE(committer->span);

	*lost = false;
	if (!catalog_claims_blob(committer->catalog, digest, &claimed, err))
		return false;
	if (!claimed || blobs_read(committer->blobs, digest, &fd, &size_bytes, err))
		return true;
	if (err->code != ERR_NOT_FOUND)
		return false;
	*lost = true;
	committer_remove_unpacked(committer, digest);
	if (!catalog_forget_blob(committer->catalog, digest, err))
		return false;
	committer_forget(committer, digest->hex);
	return true;
}

/* ---- sweeping ---- */

/* What cannot be told is kept: another start may know. */
static bool is_claimed(void *context, const char *draft)
{
	struct committer *committer = context;
	struct err err;
	bool claimed;

	return !catalog_claims_draft(committer->catalog, draft, &claimed, &err) || claimed;
}

bool committer_sweep_drafts(struct committer *committer, struct err *err)
{
	return catalog_forget_old_fills(committer->catalog, clock_now_s() - DRAFT_AGE_MAX_S, err) &&
	       blobs_sweep_drafts(committer->blobs, is_claimed, committer, err);
}

struct sweep {
	struct committer *committer;
	const _Atomic bool *stop;
};

static void sweep_unclaimed(struct committer *committer, const struct digest *digest)
{
	bool needed = false;
	struct err err;

	if (catalog_needs_blob(committer->catalog, digest, &needed, &err) && !needed) {
		remove_orphan(committer, digest);
		log_event(LOG_LEVEL_INFO, "removed a blob that nothing claims", "sha256", digest->hex, NULL);
	}
	if (needed)
		log_event(LOG_LEVEL_WARN, "a published blob that was lost lies in its place again", "sha256",
			digest->hex, "remedy", "larder verify --repair takes it back", NULL);
}

/* Alone in the span for one blob at a time, so that none is taken for unclaimed between its rename and
 * its row. */
static bool sweep_blob(void *context, const struct digest *digest, int64_t size_bytes)
{
	struct sweep *sweep = context;
	struct committer *committer = sweep->committer;
	struct err err;
	bool claimed = true;
	ALONE(committer->span);

	(void)size_bytes;
	if (catalog_claims_blob(committer->catalog, digest, &claimed, &err) && !claimed)
		sweep_unclaimed(committer, digest);
	return !atomic_load(sweep->stop);
}

static bool sweep_unpacked(void *context, const struct digest *digest, int64_t bytes)
{
	struct sweep *sweep = context;
	struct err err;
	bool claimed = true;
	ALONE(sweep->committer->span);

	(void)bytes;
	if (catalog_claims_blob(sweep->committer->catalog, digest, &claimed, &err) && !claimed)
		committer_remove_unpacked(sweep->committer, digest);
	return !atomic_load(sweep->stop);
}

/* An import that nobody has gone on with. */
static bool unstage_some(struct committer *committer, size_t *count, struct err *err)
{
	ALONE(committer->span);

	return catalog_unstage(committer->catalog, clock_now_s() - STAGED_AGE_MAX_S, UNSTAGED_AT_ONCE,
		remove_orphan, committer, count, err);
}

bool committer_unstage(struct committer *committer, const _Atomic bool *stop, struct err *err)
{
	size_t count;

	do {
		if (!unstage_some(committer, &count, err))
			return false;
	} while (count == UNSTAGED_AT_ONCE && !atomic_load(stop));
	return true;
}

bool committer_sweep_blobs(struct committer *committer, const _Atomic bool *stop, struct err *err)
{
	struct sweep sweep = {committer, stop};

	if (!committer_unstage(committer, stop, err) ||
		!blobs_each(committer->blobs, sweep_blob, &sweep, err))
		return false;
	if (committer->members)
		(void)members_each(committer->members, sweep_unpacked, &sweep);
	return !committer->members || members_sweep(committer->members, stop, err);
}
