/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/store_import.h"

#include <stdio.h>

#include "common/log.h"
#include "common/own.h"
#include "server/command/bucket_proof.h"
#include "server/command/command.h"
#include "server/command/data_folder.h"
#include "server/command/interruption.h"
#include "server/command/store_talk.h"
#include "server/registry/handover.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_store.h"
#include "server/store/folder_lock.h"
#include "server/upstream/s3/bucket.h"
#include "server/vault/store_identity.h"
#include "server/vault/vault.h"
#include "server/vault/vault_bucket.h"

/* What is not there must not be taken for there. */
static bool has_all(const struct store_talk *talk)
{
	return talk->counts[HANDOVER_LEFT] == 0 && talk->counts[HANDOVER_CONFLICT] == 0 &&
	       talk->counts[HANDOVER_FAILED] == 0 && talk->notes[HANDOVER_CONFLICT] == 0 &&
	       talk->notes[HANDOVER_FAILED] == 0;
}

/* Whether a node over the bucket may start on the folder from now on. A daemon that runs there meanwhile may
 * have taken more. */
static int claim_folder(const struct config *config, struct bucket *bucket, struct catalog *catalog,
	int lock_fd, const struct store_talk *talk)
{
	struct store_id store;
	struct err err;

	if (!has_all(talk) || lock_fd < 0) {
		(void)fprintf(stderr, "note: no node over the bucket starts on %s as it is: %s\n",
			data_folder_text(config->storage.data_dir).text,
			lock_fd < 0
				? "a daemon runs there, which may take more; stop it, and run this once more"
				: "it has what the bucket has not");
		return COMMAND_DONE;
	}
	return store_identity_find(bucket, &store, &err) && catalog_note_store(catalog, &store, &err)
		       ? COMMAND_DONE
		       : command_fail(&err);
}

static int hand_over(
	struct catalog *catalog, struct blobs *blobs, struct vault *vault, struct store_talk *talk)
{
	const struct handover handover = {catalog, blobs, vault, talk->dry_run, store_talk_item, talk};
	struct catalog_totals totals;
	struct err err;
	bool done;

	if (!catalog_count(catalog, &totals, &err))
		return command_fail(&err);
	talk->total_bytes = totals.blob_bytes;
	talk->total_count = totals.artifacts;
	store_talk_begin(talk);
	done = handover_run(&handover, &err);
	return store_talk_end(talk, done ? NULL : &err);
}

int store_import(const struct config *config, bool dry_run, bool json)
{
	AUTO_BUCKET struct bucket *bucket = bucket_create(&config->store.bucket);
	AUTO_CATALOG struct catalog *catalog = NULL;
	AUTO_BLOBS struct blobs *blobs = NULL;
	AUTO_VAULT struct vault *vault = NULL;
	struct store_talk talk = {.json = json, .dry_run = dry_run};
	AUTO_FD int lock_fd = -1;
	AUTO_FD int work_fd = -1;
	struct err err;
	int status;

	if (!data_folder_check(config->storage.data_dir, &err) ||
		!folder_lock_take_work(config->storage.data_dir, &work_fd, &err) ||
		!catalog_open(config->storage.data_dir, &catalog, &err) ||
		!blobs_open(config->storage.data_dir, &blobs, &err))
		return command_fail(&err);
	interruption_watch(INTERRUPTED_STORE_IMPORT);
	log_configure(LOG_LEVEL_WARN, config->log.format);
	status = bucket_proof_run(bucket);
	if (status != COMMAND_DONE)
		return status;
	vault = vault_bucket_create(bucket, config->store.lease_ttl_s);
	/* Before it is looked what is there. */
	if (!dry_run && !folder_lock_take(config->storage.data_dir, &lock_fd, &err) && err.code != ERR_BUSY)
		return command_fail(&err);
	status = hand_over(catalog, blobs, vault, &talk);
	if (dry_run)
		return status;
	return status == COMMAND_DONE ? claim_folder(config, bucket, catalog, lock_fd, &talk) : status;
}
