/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/handover.h"

#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/registry/handover_notes.h"
#include "server/registry/likeness.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_export.h"
#include "server/store/catalog/catalog_versions.h"
#include "server/vault/identity_record.h"
#include "server/vault/vault.h"

enum { PAGE_ROWS = 200, HASH_BYTES = 256 << 10 };

static const char withdrawer[] = "store import";

/* One artifact on its way. */
struct parcel {
	const struct handover *handover;
	struct name name;
	struct deposit deposit;
	bool there;     /* what is shared has its bytes */
	bool was_there; /* … and what they are */
};

static void tell(const struct parcel *parcel, enum handover_fate fate, const char *why)
{
	const struct handover_item item = {.name = &parcel->name,
		.fate = fate,
		.size_bytes = parcel->deposit.identity.size_bytes,
		.why = why};

	parcel->handover->tell(parcel->handover->context, &item);
}

/* ---- bytes ---- */

static bool hash_file(int fd, struct digest *out, struct err *err)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	AUTO_FREE char *bytes = mem_zero(1, HASH_BYTES);
	int64_t offset = 0;
	size_t got;

	do {
		if (!file_read_at(fd, bytes, HASH_BYTES, offset, &got, err))
			return false;
		hasher_add(hasher, bytes, got);
		offset += (int64_t)got;
	} while (got > 0);
	*out = hasher_result(hasher);
	return true;
}

/* What is damaged here is not sent: it would take the place of what is there. */
static bool check_file(const struct parcel *parcel, int fd, struct err *err)
{
	struct digest digest;

	return hash_file(fd, &digest, err) &&
	       (digest_equal(&digest, &parcel->deposit.identity.checksums.sha256) ||
		       err_set(err, ERR_DIGEST_MISMATCH,
			       "its file in the data folder is damaged: it has sha256:%s", digest.hex));
}

static bool hash(void *context, const void *bytes, size_t length)
{
	hasher_add(context, bytes, length);
	return true;
}

static bool check_there(const struct parcel *parcel, struct err *err)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	const struct vault_receiver receiver = {hash, hasher};
	const struct digest *wanted = &parcel->deposit.identity.checksums.sha256;
	struct digest digest;

	if (!vault_read(parcel->handover->vault, wanted, 0, -1, &receiver, err))
		return false;
	digest = hasher_result(hasher);
	return digest_equal(&digest, wanted) ||
	       err_set(err, ERR_DIGEST_MISMATCH, "what was sent is read back with other bytes: sha256:%s",
		       digest.hex);
}

/* ---- one artifact ---- */

/* Only what would be so with each artifact ends it all. */
static bool settle(const struct parcel *parcel, const struct err *err)
{
	if (err->code == ERR_STORE_UNAVAILABLE)
		return false;
	tell(parcel,
		err->code == ERR_CONFLICT                             ? HANDOVER_CONFLICT
		: err->code == ERR_GONE || err->code == ERR_NOT_FOUND ? HANDOVER_LEFT
								      : HANDOVER_FAILED,
		err->text);
	return true;
}

/* What is there may be sent all the same: the vault knows when. */
static bool send(struct parcel *parcel, struct err *err)
{
	const struct handover *handover = parcel->handover;
	enum deposited deposited;
	bool may_send = parcel->deposit.fd >= 0;

	if (may_send && !check_file(parcel, parcel->deposit.fd, err))
		return settle(parcel, err);
	if (!vault_keep(handover->vault, &parcel->deposit, &deposited, err) ||
		(may_send && !check_there(parcel, err)))
		return settle(parcel, err);
	tell(parcel, may_send && !parcel->there ? HANDOVER_SENT : HANDOVER_NAMED, NULL);
	return true;
}

/* Whether there is anything to be sent, or told; *over: no. */
static bool look(struct parcel *parcel, bool *over, struct err *err)
{
	const struct identity *ours = &parcel->deposit.identity;
	enum vault_standing standing;
	struct identity theirs;

	*over = true;
	if (!vault_find(parcel->handover->vault, &parcel->name, &standing, &theirs, err) ||
		!vault_holds(parcel->handover->vault, &ours->checksums.sha256, ours->size_bytes,
			&parcel->there, err))
		return settle(parcel, err);
	if (standing == VAULT_GONE)
		tell(parcel, HANDOVER_LEFT, "the bucket has it as withdrawn");
	else if (standing == VAULT_LACKING && ours->source == SOURCE_MIRRORED)
		tell(parcel, HANDOVER_LEFT, "the bucket has this version as published in other formats");
	else if (standing == VAULT_RECORDED &&
		 !digest_equal(&theirs.checksums.sha256, &ours->checksums.sha256))
		tell(parcel, HANDOVER_CONFLICT, "the bucket has other bytes under that name");
	else if (standing == VAULT_RECORDED && (parcel->there || parcel->deposit.fd < 0) &&
		 (theirs.source == SOURCE_PUBLISHED || ours->source == SOURCE_MIRRORED))
		tell(parcel, HANDOVER_THERE, NULL);
	else
		*over = false;
	return true;
}

static bool hand_over(struct parcel *parcel, struct err *err)
{
	bool over;

	if (!look(parcel, &over, err))
		return false;
	if (over)
		return true;
	if (!parcel->handover->dry_run)
		return send(parcel, err);
	tell(parcel, parcel->deposit.fd < 0 || parcel->there ? HANDOVER_NAMED : HANDOVER_SENT, NULL);
	return true;
}

static void describe(const struct artifact_details *details, struct identity *out)
{
	const struct artifact *artifact = &details->artifact;
	const char *who = artifact->source == SOURCE_PUBLISHED ? details->published_by : details->upstream;

	*out = (struct identity){.checksums = artifact->checksums,
		.size_bytes = artifact->size_bytes,
		.source = artifact->source,
		.at_s = artifact->created_at};
	nonce_make(out->nonce);
	(void)snprintf(out->who, sizeof out->who, "%s", who ? who : "");
}

/* The file, held against being evicted meanwhile. One that is lost is as one that was evicted, unless nobody
 * else could have it. */
static bool open_bytes(struct parcel *parcel, const struct artifact *artifact, int *fd, struct err *err)
{
	int64_t size_bytes;

	if (!artifact->cached ||
		blobs_read(parcel->handover->blobs, &artifact->checksums.sha256, fd, &size_bytes, err))
		return true;
	return err->code == ERR_NOT_FOUND;
}

static bool hand_artifact(
	const struct handover *handover, const struct artifact_details *details, struct err *err)
{
	const struct artifact *artifact = &details->artifact;
	struct parcel parcel = {.handover = handover, .name = artifact->name};
	AUTO_FD int fd = -1;

	if (!artifact->recorded)
		return true;
	parcel.deposit.name = &parcel.name;
	describe(details, &parcel.deposit.identity);
	if (!open_bytes(&parcel, artifact, &fd, err))
		return false;
	parcel.deposit.fd = fd;
	if (fd < 0 && artifact->source == SOURCE_PUBLISHED) {
		tell(&parcel, HANDOVER_FAILED, "the data folder has lost its bytes");
		return true;
	}
	return hand_over(&parcel, err);
}

/* ---- versions ---- */

/* Whoever has other bytes under that name is not to lose them. */
static bool entomb(const struct handover *handover, struct handover_item *item, struct err *err)
{
	bool alike;
	bool before;

	if (!likeness_find(handover->catalog, handover->vault, item->name, &alike, err))
		return false;
	if (!alike) {
		item->fate = HANDOVER_CONFLICT;
		item->why = "it is withdrawn here, and the bucket has other bytes under that name";
		return true;
	}
	item->fate = HANDOVER_WITHDRAWN;
	return handover->dry_run ||
	       vault_withdraw(handover->vault, item->name, withdrawer, true, &before, err);
}

static bool hand_tombstone(const struct handover *handover, const struct name *name, struct err *err)
{
	struct handover_item item = {.name = name, .is_version = true, .fate = HANDOVER_THERE};
	enum vault_standing standing;
	struct identity unused;

	if (!vault_find(handover->vault, name, &standing, &unused, err))
		return false;
	if (standing != VAULT_GONE && !entomb(handover, &item, err))
		return false;
	handover->tell(handover->context, &item);
	return true;
}

static bool hand_those(const struct handover *handover, const struct version_details *details,
	enum version_source source, struct err *err)
{
	for (size_t i = 0; i < details->artifact_count; i++) {
		if (details->artifacts[i].artifact.source == source &&
			!hand_artifact(handover, &details->artifacts[i], err))
			return false;
	}
	return true;
}

/* Once any format is there as published, mirrored ones may not join it. */
static bool hand_artifacts(
	const struct handover *handover, const struct version_details *details, struct err *err)
{
	return hand_those(handover, details, SOURCE_MIRRORED, err) &&
	       hand_those(handover, details, SOURCE_PUBLISHED, err);
}

static bool hand_version(const struct handover *handover, const struct export_row *row, struct err *err)
{
	struct version_details details;
	struct name name = {.version = row->version, .format = FORMAT_TF_HUB};
	bool found;
	bool handed;

	(void)snprintf(name.handle, sizeof name.handle, "%s", row->handle);
	if (row->state == STATE_WITHDRAWN)
		return hand_tombstone(handover, &name, err);
	if (!catalog_find_version(handover->catalog, &name, &details, &found, err))
		return false;
	if (!found)
		return true;
	/* What is held back is so before others can have it. */
	handed = handover_notes_hold(handover, &name, err) && hand_artifacts(handover, &details, err) &&
		 (details.artifact_count == 0 || handover_notes_document(handover, &name, err));
	version_details_finish(&details);
	return handed;
}

/* Goes on behind the last one; *more: there is another page. */
static bool hand_page(const struct handover *handover, struct export_row *last, bool *more, struct err *err)
{
	struct export_rows rows = {0};
	bool handed = true;

	if (!catalog_list_exports(handover->catalog, last->handle ? last->handle : "", last->version,
		    PAGE_ROWS, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count && handed; i++)
		handed = hand_version(handover, &rows.items[i], err);
	*more = rows.count == PAGE_ROWS;
	if (rows.count > 0) {
		free(last->handle);
		last->handle = mem_dup(rows.items[rows.count - 1].handle);
		last->version = rows.items[rows.count - 1].version;
	}
	export_rows_finish(&rows);
	return handed;
}

bool handover_run(const struct handover *handover, struct err *err)
{
	struct export_row last = {0};
	bool more = true;
	bool handed;

	handed = handover_notes_of_all(handover, err);
	while (handed && more)
		handed = hand_page(handover, &last, &more, err);
	free(last.handle);
	return handed;
}
