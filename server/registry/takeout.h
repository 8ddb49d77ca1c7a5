/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes what nodes share into a data folder: tombstones, and each artifact, verified as one that is fetched.
 * The reverse of handover.h, whose words it uses. What is there is not taken again. */
#ifndef SERVER_REGISTRY_TAKEOUT_H
#define SERVER_REGISTRY_TAKEOUT_H

#include <stdbool.h>

#include "common/err.h"
#include "server/module/archives/archive_limits.h"
#include "server/registry/committer.h"
#include "server/registry/handover.h"
#include "server/registry/space.h"

struct takeout {
	struct catalog *catalog;
	struct blobs *blobs;
	struct committer *committer; /* of the folder alone */
	struct space *space;
	struct vault *vault;
	struct archive_limits limits;
	bool dry_run;
	void (*tell)(void *context, const struct handover_item *item);
	void *context;
};

/* Tells of each item. False where it cannot go on: what was told of is here, durably. */
bool takeout_run(struct takeout *takeout, struct err *err);

#endif
