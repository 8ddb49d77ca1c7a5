/* SPDX-License-Identifier: Apache-2.0
 *
 * What fills work with: the settings, the stores and the services that they share. */
#ifndef SERVER_REGISTRY_FILL_TOOLS_H
#define SERVER_REGISTRY_FILL_TOOLS_H

#include <stddef.h>
#include <stdint.h>

#include "server/module/archives/archive_limits.h"
#include "server/module/safety/safety_policy.h"
#include "server/module/examination.h"
#include "server/registry/breakers.h"
#include "server/registry/checkpoints.h"
#include "server/registry/committer.h"
#include "server/registry/failed_fills.h"
#include "server/registry/queue.h"
#include "server/registry/space.h"
#include "server/registry/trail.h"
#include "server/upstream/client.h"
#include "server/upstream/upstream.h"
#include "server/vault/vault.h"

struct fill_settings {
	const struct upstream *upstreams; /* in the order in which they are asked */
	size_t upstream_count;
	int64_t retries; /* of a transfer that makes no progress, and rounds over all upstreams */
	int64_t negative_ttl_s;
	int64_t latest_ttl_s; /* for so long an upstream's word of its latest version counts */
	int64_t connect_timeout_s;
	int64_t queue_timeout_s;  /* for how long clients may wait for a turn, here or with an upstream */
	int64_t commit_timeout_s; /* for how long bytes wait until another process lets go of the database */
	struct archive_limits limits;
	const struct safety_policy *safety; /* NULL: nothing is refused or held back for findings */
};

/* How other nodes find what is fetched here, and are told apart from others who ask for it. */
struct peers {
	const char *_Atomic *node_url; /* where this one is reached */
	const struct capabilities *capabilities;
	const char *ca_file; /* PEM, of theirs; NULL is the system's */
	int64_t lease_ttl_s;
	struct peer_notes *notes; /* of what becomes of following them; may be NULL */
};

/* What fills work with; all of it outlives them. */
struct fill_tools {
	struct fill_settings settings;
	struct client *client;
	struct catalog *catalog;
	struct blobs *blobs;
	struct committer *committer;
	struct space *space;
	struct checkpoints *checkpoints;
	struct vault *vault;               /* what other nodes have */
	struct peers peers;                /* … where they share anything */
	struct failed_fills *failed_fills; /* NULL: nobody wants to know */
	struct breakers *breakers;         /* the mirror's own, */
	struct queue *queue;               /* … as these are */
	struct admission *admission;
	struct trust *trust; /* whose signatures count; NULL: none is required */
};

/* What is to be filled. */
struct fill_order {
	const struct name *name;
	struct spool *spool;
	const struct fill_row
		*row;        /* what an earlier process noted of the bytes in the spool; NULL: it is empty */
	struct trail *trail; /* is told upstream */
	struct fill_progress *progress; /* is told how far it is */
	struct ticket *ticket;          /* has a place */
	struct turn *granted;           /* a turn with an upstream, to begin with, where it is taken */
};

#endif
