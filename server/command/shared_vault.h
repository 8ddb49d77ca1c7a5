/* SPDX-License-Identifier: Apache-2.0
 *
 * What commands that change something for all nodes write it through: of a node over a bucket, which is
 * proved before, or of a folder that is alone. */
#ifndef SERVER_COMMAND_SHARED_VAULT_H
#define SERVER_COMMAND_SHARED_VAULT_H

#include "common/own.h"
#include "server/command/command.h"

struct bucket;
struct catalog;
struct vault;

struct shared_vault {
	struct bucket *bucket; /* NULL: the folder is alone */
	struct vault *vault;
};

/* An exit status, with the failure told: also where the folder is a bucket's node's, and the configuration
 * names none. The configuration must outlive it. */
int shared_vault_open(const struct config *config, struct catalog *catalog, struct shared_vault *out);
void shared_vault_close(struct shared_vault *shared);
#define AUTO_SHARED_VAULT AUTO(shared_vault_close)

#endif
