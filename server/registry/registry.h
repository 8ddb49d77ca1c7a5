/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer to "give me this artifact": a blob that is here, or a spool that a fill is pouring into. */
#ifndef SERVER_REGISTRY_REGISTRY_H
#define SERVER_REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/registry/committer.h"
#include "server/registry/download_counters.h"
#include "server/registry/mirror.h"
#include "server/registry/wants.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_artifacts.h"

struct catalog;
struct registry;

struct registry_sharing {
	bool strict; /* whatever is opened, found or looked at is asked for anew whether others have withdrawn
			it, which waits for the network, and without an answer is ERR_STORE_UNAVAILABLE */
	int64_t poll_interval_s; /* so late it is known here what others have kept */
	size_t workers;          /* half of them may wait for that at once */
};

/* All must outlive it. destroy takes NULL. */
struct registry *registry_create(struct catalog *catalog, struct blobs *blobs, struct committer *committer,
	struct mirror *mirror, struct download_counters *counters, struct wants *wants,
	const struct registry_sharing *sharing);
void registry_destroy(struct registry *registry);
AUTO_CLEANER(own_registry, struct registry *, registry_destroy)
#define AUTO_REGISTRY AUTO(own_registry)

/* Whether it is to be asked for each request: nothing may be answered from memory. Constant. */
bool registry_is_strict(const struct registry *registry);

struct holding {
	struct artifact artifact; /* as far as it is recorded; its name always */
	int fd;                   /* the blob, from its first byte; -1 with a spool */
	struct spool *spool;      /* NULL with a blob */
	bool collapsed;           /* the fill was running already */
};
/* Closes and lets go of what it holds. */
void holding_finish(struct holding *holding);
#define AUTO_HOLDING AUTO(holding_finish)

/* Where a handle was settled to another spelling of its framework than was asked for, and that is not known
 * here: takes the one that was written, where another node has kept that. May wait for the network, and asks
 * nobody where many do. */
void registry_hear(struct registry *registry, struct name *name, const char *written);

/* Opens an artifact, starting or joining a fill where it is not here. The caller owns *out. ERR_GONE,
 * ERR_QUARANTINED, and all that mirror_join fails with; what is refused with ERR_OFFLINE is wanted from then
 * on, as it is by all below that ask for an artifact. */
bool registry_open(struct registry *registry, const struct name *name, const struct asker *asker,
	struct holding *out, struct err *err);

/* Starts or finds the fill of an artifact and holds nothing of it; *fill_id is 0 where it is here already.
 * Fails as registry_open does. */
bool registry_prefetch(struct registry *registry, const struct name *name, const struct asker *asker,
	int64_t *fill_id, struct err *err);

/* As registry_open, but asks nobody: *found false where the blob is not here. */
bool registry_find(struct registry *registry, const struct name *name, struct holding *out, bool *found,
	struct err *err);

/* The same; of what is not here *glance tells what mirror_glance found out, but that it is never stale. Fails
 * as that does. */
bool registry_look(struct registry *registry, const struct name *name, const struct asker *asker,
	struct holding *out, bool *found, struct glance *glance, struct err *err);

/* Which version a name without one means: of a published handle, and where no upstream can be asked, the
 * highest active one that is here or else listed; otherwise the one that upstream calls its latest. *out is
 * NULL with a version; else the question that an upstream is being asked, the caller's own: await it, then
 * registry_latest_answered. Fails as mirror_join does where nothing is known here. */
bool registry_latest(struct registry *registry, const struct name *name, const struct asker *asker,
	int64_t *out_version, struct question **out, struct err *err);
bool registry_latest_answered(
	struct registry *registry, struct question *question, int64_t *out_version, struct err *err);

/* The same, as far as it is known without asking; *asks tells whether an upstream would be asked first. */
bool registry_latest_known(struct registry *registry, const struct name *name, int64_t *out_version,
	bool *asks, struct err *err);

/* One client has been given the artifact. */
void registry_count_download(struct registry *registry, const struct name *name);

/* … or a part of it. */
void registry_touch(struct registry *registry, const struct name *name);

/* For an artifact that is given again and again without being opened: its counter, and the count of one such
 * hit, which is a download or just a part. */
struct download_counter *registry_open_counter(struct registry *registry, const struct name *name);
void registry_count_hit(struct download_counter *counter, bool download);

#endif
