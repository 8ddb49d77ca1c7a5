/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/shared_vault.h"

#include "common/log.h"
#include "server/command/bucket_proof.h"
#include "server/command/data_folder.h"
#include "server/store/catalog/catalog_store.h"
#include "server/upstream/s3/bucket.h"
#include "server/vault/store_identity.h"
#include "server/vault/vault.h"
#include "server/vault/vault_alone.h"
#include "server/vault/vault_bucket.h"

/* What is done on such a folder alone would be undone, or unknown to all others. */
static bool check_alone(const struct config *config, struct catalog *catalog, struct err *err)
{
	struct store_id store;

	return catalog_find_store(catalog, &store, err) &&
	       (!*store.text ||
		       err_set(err, ERR_CONFLICT,
			       "%.200s is the folder of a node over a bucket, and all nodes are to know of "
			       "this: name that node's configuration with --config",
			       data_folder_text(config->storage.data_dir).text));
}

int shared_vault_open(const struct config *config, struct catalog *catalog, struct shared_vault *out)
{
	struct store_id store;
	struct err err;
	int status;

	if (config->store.kind != STORE_S3) {
		out->vault = vault_alone();
		return check_alone(config, catalog, &err) ? COMMAND_DONE : command_fail(&err);
	}
	log_configure(LOG_LEVEL_WARN, config->log.format);
	out->bucket = bucket_create(&config->store.bucket);
	status = bucket_proof_run(out->bucket);
	if (status != COMMAND_DONE)
		return status;
	out->vault = vault_bucket_create(out->bucket, config->store.lease_ttl_s);
	return store_identity_find(out->bucket, &store, &err) && catalog_belong_to(catalog, &store, &err)
		       ? COMMAND_DONE
		       : command_fail(&err);
}

void shared_vault_close(struct shared_vault *shared)
{
	vault_destroy(shared->vault);
	bucket_destroy(shared->bucket);
	*shared = (struct shared_vault){0};
}
