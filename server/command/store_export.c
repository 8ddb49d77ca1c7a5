/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/store_export.h"

#include "common/log.h"
#include "server/command/bucket_proof.h"
#include "server/command/command.h"
#include "server/command/data_folder.h"
#include "server/command/interruption.h"
#include "server/command/neighbour.h"
#include "server/command/store_talk.h"
#include "server/registry/reclaimable.h"
#include "server/registry/takeout.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_store.h"
#include "server/store/folder_lock.h"
#include "server/upstream/s3/bucket.h"
#include "server/vault/vault.h"
#include "server/vault/vault_alone.h"
#include "server/vault/vault_bucket.h"

struct stores {
	struct catalog *catalog;
	struct blobs *blobs;
	struct members *members;
	int lock_fd;
};

static void finish_stores(struct stores *stores)
{
	members_close(stores->members);
	blobs_close(stores->blobs);
	catalog_close(stores->catalog);
	own_close(&stores->lock_fd);
}

/* What is published may be evicted from a folder that is a bucket's index. */
static bool check_alone(struct catalog *catalog, const char *data_dir, struct err *err)
{
	struct store_id store;

	return catalog_find_store(catalog, &store, err) &&
	       (!*store.text ||
		       err_set(err, ERR_CONFLICT,
			       "%.200s is the folder of a node over a bucket: name a new one, or one that is "
			       "whole by itself, with --data",
			       data_folder_text(data_dir).text));
}

static bool open_folder(const char *data_dir, bool dry_run, struct err *err)
{
	bool is_new;

	if (!dry_run)
		return data_folder_make(data_dir, true, &is_new, err);
	return data_folder_check(data_dir, err) ||
	       (err->code == ERR_NOT_FOUND && err_prefix(err, "a dry run makes no data folder: "));
}

static bool open_stores(const char *data_dir, bool dry_run, struct stores *stores, struct err *err)
{
	static const struct archive_limits unpacks_nothing;

	return open_folder(data_dir, dry_run, err) &&
	       folder_lock_take_work(data_dir, &stores->lock_fd, err) &&
	       catalog_open(data_dir, &stores->catalog, err) && check_alone(stores->catalog, data_dir, err) &&
	       blobs_open(data_dir, &stores->blobs, err) && blobs_hold_drafts(stores->blobs, err) &&
	       members_open(data_dir, &unpacks_nothing, 0, &stores->members, err);
}

static int take_out(
	const struct config *config, struct stores *stores, struct vault *vault, struct store_talk *talk)
{
	/* All of it: storage.max_bytes is the bucket's. */
	const struct space_limits limits = {0, config->storage.keep_free_bytes, NULL};
	const struct reclaimable reclaimable = reclaimable_members(stores->members);
	struct neighbour neighbour = {.data_dir = config->storage.data_dir};
	AUTO_COMMITTER
	struct committer *committer =
		committer_create(stores->catalog, stores->blobs, stores->members, vault_alone());
	AUTO_SPACE
	struct space *space =
		space_create(&limits, stores->catalog, stores->blobs, committer, &reclaimable, 1);
	struct takeout takeout = {stores->catalog, stores->blobs, committer, space, vault,
		config->publish.archives, talk->dry_run, store_talk_item, talk};
	struct err err;
	bool done;

	committer_set_forget(committer, neighbour_forget, &neighbour);
	store_talk_begin(talk);
	done = takeout_run(&takeout, &err);
	return store_talk_end(talk, done ? NULL : &err);
}

int store_export(const struct config *config, bool dry_run, bool json)
{
	AUTO_BUCKET struct bucket *bucket = bucket_create(&config->store.bucket);
	AUTO(finish_stores) struct stores stores = {.lock_fd = -1};
	AUTO_VAULT struct vault *vault = NULL;
	struct store_talk talk = {.json = json, .dry_run = dry_run, .takes = true};
	struct err err;
	int status;

	interruption_watch(INTERRUPTED_STORE_EXPORT);
	log_configure(LOG_LEVEL_WARN, config->log.format);
	status = bucket_proof_run(bucket);
	if (status != COMMAND_DONE)
		return status;
	if (!open_stores(config->storage.data_dir, dry_run, &stores, &err))
		return command_fail(&err);
	vault = vault_bucket_create(bucket, config->store.lease_ttl_s);
	return take_out(config, &stores, vault, &talk);
}
