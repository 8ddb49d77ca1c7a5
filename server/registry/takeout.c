/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/takeout.h"

#include <string.h>

#include "common/own.h"
#include "server/registry/inspector.h"
#include "server/registry/handover_notes.h"
#include "server/registry/likeness.h"
#include "server/registry/recall.h"
#include "server/registry/shared_holds.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/vault/vault.h"

/* One that is on its way. */
struct taking {
	const struct takeout *takeout;
	const struct name *name;
	const struct identity *identity;
	struct claim claim;
	struct spool *spool;
	struct inspector *inspector;
	struct inspection inspection;
	int64_t bytes;
	struct err err; /* why it takes no more */
};

static bool tell(const struct takeout *takeout, const struct name *name, const struct identity *identity,
	enum handover_fate fate, const char *why)
{
	const struct handover_item item = {
		.name = name, .fate = fate, .size_bytes = identity->size_bytes, .why = why};

	takeout->tell(takeout->context, &item);
	return true;
}

/* ---- bytes ---- */

static void finish(struct taking *taking)
{
	struct err over;

	if (taking->spool) {
		/* Unless it was kept: so that the inspector ends. */
		(void)err_set(&over, ERR_INTERNAL, "nobody takes this blob any more");
		spool_refuse(taking->spool, &over);
	}
	inspector_destroy(taking->inspector);
	spool_release(taking->spool);
	space_release(taking->takeout->space, &taking->claim);
	inspection_finish(&taking->inspection);
}

static bool begin(struct taking *taking, struct err *err)
{
	const struct takeout *takeout = taking->takeout;
	int64_t size_bytes = taking->identity->size_bytes;

	taking->claim.unlimited = taking->identity->source == SOURCE_PUBLISHED;
	return space_claim(takeout->space, &taking->claim, size_bytes > 0 ? size_bytes : 1, err) &&
	       blobs_begin(takeout->blobs, &taking->spool, err) &&
	       inspector_start(taking->spool, taking->name->format, &takeout->limits,
		       committer_places(takeout->committer), &taking->inspector, err);
}

static bool take(void *context, const void *bytes, size_t length)
{
	struct taking *taking = context;

	taking->bytes += (int64_t)length;
	if (taking->bytes > taking->identity->size_bytes)
		return err_set(&taking->err, ERR_UPSTREAM_FAILED, "the bucket has more bytes than it should");
	if (!spool_append(taking->spool, bytes, length, &taking->err))
		return false;
	(void)space_note_covered(taking->takeout->space, &taking->claim, taking->bytes);
	return true;
}

static bool pour(struct taking *taking, struct err *err)
{
	const struct vault_receiver receiver = {take, taking};

	if (!vault_read(taking->takeout->vault, &taking->identity->checksums.sha256, 0, -1, &receiver, err))
		return false;
	if (taking->err.code != ERR_NONE) {
		*err = taking->err;
		return false;
	}
	spool_complete(taking->spool);
	return true;
}

static bool commit(struct taking *taking, struct err *err)
{
	const struct identity *identity = taking->identity;
	struct origin origin = {.source = identity->source, .who = identity->who};
	struct err held = {0};
	enum kept kept;

	if (!shared_holds_check(taking->takeout->vault, taking->name, &identity->checksums.sha256, &held) &&
		held.code != ERR_QUARANTINED) {
		*err = held;
		return false;
	}
	/* Until the decision itself is taken, at the end. */
	if (held.code == ERR_QUARANTINED)
		origin.held_for = "other nodes hold it back";
	if (!committer_commit(taking->takeout->committer, taking->spool, taking->name, &origin, DEPOSITED_NEW,
		    &taking->inspection, &kept, err))
		return false;
	spool_mark_kept(taking->spool);
	return true;
}

static bool fetch(struct taking *taking, struct err *err)
{
	return begin(taking, err) && pour(taking, err) &&
	       inspector_wait(taking->inspector, &taking->inspection, err) &&
	       recall_check(taking->name, taking->identity, &taking->inspection, err) && commit(taking, err);
}

/* ---- one artifact ---- */

/* Only what would be so with each artifact ends it all. */
static bool settle(const struct taking *taking, const struct err *err)
{
	enum handover_fate fate = HANDOVER_FAILED;

	if (err->code == ERR_STORE_UNAVAILABLE || err->code == ERR_NO_SPACE || err->code == ERR_BUSY ||
		err->code == ERR_INTERNAL)
		return false;
	if (err->code == ERR_CONFLICT)
		fate = HANDOVER_CONFLICT;
	if (err->code == ERR_NOT_FOUND && taking->identity->source == SOURCE_MIRRORED)
		fate = HANDOVER_LEFT;
	return tell(taking->takeout, taking->name, taking->identity, fate, err->text);
}

static bool fetch_one(const struct takeout *takeout, const struct name *name, const struct identity *identity,
	struct err *err)
{
	AUTO(finish)
	struct taking taking = {.takeout = takeout, .name = name, .identity = identity};

	return fetch(&taking, err) ? tell(takeout, name, identity, HANDOVER_SENT, NULL)
				   : settle(&taking, err);
}

static bool is_here(const struct artifact *artifact, const struct identity *identity)
{
	return artifact->recorded && artifact->cached &&
	       (artifact->source == SOURCE_PUBLISHED || identity->source == SOURCE_MIRRORED);
}

static bool take_identity(const struct takeout *takeout, const struct name *name,
	const struct identity *identity, struct err *err)
{
	struct artifact artifact;
	enum vault_standing standing;
	struct identity unused;
	bool found;

	if (!catalog_find_artifact(takeout->catalog, name, &artifact, &found, err))
		return false;
	if (found && artifact.recorded && artifact.state != STATE_WITHDRAWN &&
		!digest_equal(&artifact.checksums.sha256, &identity->checksums.sha256))
		return tell(takeout, name, identity, HANDOVER_CONFLICT,
			"the data folder has other bytes under that name");
	if (found && artifact.state != STATE_WITHDRAWN && is_here(&artifact, identity))
		return tell(takeout, name, identity, HANDOVER_THERE, NULL);
	if (found && artifact.state == STATE_QUARANTINED)
		return tell(takeout, name, identity, HANDOVER_LEFT, "it is in quarantine here");
	if (!vault_find(takeout->vault, name, &standing, &unused, err))
		return false;
	/* Its tombstone is told of. */
	if (standing == VAULT_GONE)
		return true;
	if (found && artifact.state == STATE_WITHDRAWN)
		return tell(takeout, name, identity, HANDOVER_LEFT, "the data folder has it as withdrawn");
	return takeout->dry_run ? tell(takeout, name, identity, HANDOVER_SENT, NULL)
				: fetch_one(takeout, name, identity, err);
}

/* ---- one version ---- */

/* The formats of a version, which are told one behind the other. */
struct gathering {
	const struct takeout *takeout;
	struct {
		struct name name;
		struct identity identity;
	} items[FORMAT_COUNT];
	size_t count;
};

static bool take_those(const struct gathering *gathering, enum version_source source, struct err *err)
{
	for (size_t i = 0; i < gathering->count; i++) {
		if (gathering->items[i].identity.source == source &&
			!take_identity(gathering->takeout, &gathering->items[i].name,
				&gathering->items[i].identity, err))
			return false;
	}
	return true;
}

/* Once any format is here as published, mirrored ones may not join it. */
static bool take_version(struct gathering *gathering, struct err *err)
{
	bool taken =
		take_those(gathering, SOURCE_MIRRORED, err) && take_those(gathering, SOURCE_PUBLISHED, err);

	gathering->count = 0;
	return taken;
}

static bool is_of_another(const struct gathering *gathering, const struct name *name)
{
	const struct name *first = &gathering->items[0].name;

	return gathering->count > 0 &&
	       (first->version != name->version || strcmp(first->handle, name->handle) != 0);
}

static bool gather(void *context, const struct name *name, const struct identity *identity, struct err *err)
{
	struct gathering *gathering = context;

	if ((is_of_another(gathering, name) || gathering->count == FORMAT_COUNT) &&
		!take_version(gathering, err))
		return false;
	gathering->items[gathering->count].name = *name;
	gathering->items[gathering->count++].identity = *identity;
	return true;
}

static bool take_versions(const struct takeout *takeout, struct err *err)
{
	struct gathering gathering = {.takeout = takeout};
	const struct vault_census census = {gather, &gathering};

	return vault_each_identity(takeout->vault, &census, err) && take_version(&gathering, err);
}

/* ---- tombstones ---- */

struct entombing {
	const struct takeout *takeout;
	struct err err;
};

/* Other bytes under that name stay. */
static bool bury(const struct takeout *takeout, struct handover_item *item, struct err *err)
{
	bool alike;

	if (!likeness_find(takeout->catalog, takeout->vault, item->name, &alike, err))
		return false;
	if (!alike) {
		item->fate = HANDOVER_CONFLICT;
		item->why =
			"the bucket has it as withdrawn, and the data folder has other bytes under that name";
		return true;
	}
	item->fate = HANDOVER_WITHDRAWN;
	return takeout->dry_run || committer_entomb(takeout->committer, item->name, err);
}

static bool entomb(void *context, enum vault_change change, const struct name *name)
{
	struct entombing *entombing = context;
	const struct takeout *takeout = entombing->takeout;
	struct handover_item item = {.name = name, .is_version = true, .fate = HANDOVER_THERE};
	struct artifact artifact;
	bool found;

	if (!catalog_find_artifact(takeout->catalog, name, &artifact, &found, &entombing->err))
		return false;
	if (!(found && artifact.state == STATE_WITHDRAWN) && !bury(takeout, &item, &entombing->err))
		return false;
	takeout->tell(takeout->context, &item);
	return true;
}

static bool take_tombstones(const struct takeout *takeout, struct err *err)
{
	struct entombing entombing = {.takeout = takeout};
	const struct vault_listener listener = {entomb, &entombing};
	struct vault_place place = {0};
	bool more = true;

	while (more && entombing.err.code == ERR_NONE) {
		if (!vault_list(takeout->vault, CHANGE_WITHDRAWN, &place, &listener, &more, err))
			return false;
	}
	if (entombing.err.code != ERR_NONE)
		*err = entombing.err;
	return entombing.err.code == ERR_NONE;
}

bool takeout_run(struct takeout *takeout, struct err *err)
{
	const struct handover notes = {takeout->catalog, takeout->blobs, takeout->vault, takeout->dry_run,
		takeout->tell, takeout->context};

	return take_tombstones(takeout, err) && take_versions(takeout, err) &&
	       handover_notes_take(&notes, err);
}
