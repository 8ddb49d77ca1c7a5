/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/store_import.h"

#include "common/log.h"
#include "server/command/bucket_proof.h"
#include "server/command/command.h"
#include "server/command/data_folder.h"
#include "server/command/interruption.h"
#include "server/command/store_talk.h"
#include "server/registry/handover.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/upstream/s3/bucket.h"
#include "server/vault/vault.h"
#include "server/vault/vault_bucket.h"

static int hand_over(
	struct catalog *catalog, struct blobs *blobs, struct vault *vault, bool dry_run, bool json)
{
	struct store_talk talk = {.json = json, .dry_run = dry_run};
	const struct handover handover = {catalog, blobs, vault, dry_run, store_talk_item, &talk};
	struct catalog_totals totals;
	struct err err;
	bool done;

	if (!catalog_count(catalog, &totals, &err))
		return command_fail(&err);
	talk.total_bytes = totals.blob_bytes;
	talk.total_count = totals.artifacts;
	store_talk_begin(&talk);
	done = handover_run(&handover, &err);
	return store_talk_end(&talk, done ? NULL : &err);
}

int store_import(const struct config *config, bool dry_run, bool json)
{
	AUTO_BUCKET struct bucket *bucket = bucket_create(&config->store.bucket);
	AUTO_CATALOG struct catalog *catalog = NULL;
	AUTO_BLOBS struct blobs *blobs = NULL;
	AUTO_VAULT struct vault *vault = NULL;
	struct err err;
	int status;

	if (!data_folder_check(config->storage.data_dir, &err) ||
		!catalog_open(config->storage.data_dir, &catalog, &err) ||
		!blobs_open(config->storage.data_dir, &blobs, &err))
		return command_fail(&err);
	interruption_watch(INTERRUPTED_STORE_IMPORT);
	log_configure(LOG_LEVEL_WARN, config->log.format);
	status = bucket_proof_run(bucket);
	if (status != COMMAND_DONE)
		return status;
	vault = vault_bucket_create(bucket, config->store.lease_ttl_s);
	return hand_over(catalog, blobs, vault, dry_run, json);
}
