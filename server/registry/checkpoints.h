/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints: notes in the catalog how far running fills are, on a thread of its own, so that another
 * process can resume their drafts after a restart, kill or crash. Owns the drafts that wait for that. */
#ifndef SERVER_REGISTRY_CHECKPOINTS_H
#define SERVER_REGISTRY_CHECKPOINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"
#include "server/registry/verdict.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_fills.h"

struct checkpoints;

/* Both stores must outlive it. Where there is no thread to be had, nothing is noted. The drafts that wait are
 * those that have a row now. destroy takes NULL; no checkpoint may be open then. */
struct checkpoints *checkpoints_create(struct catalog *catalog, struct blobs *blobs);
void checkpoints_destroy(struct checkpoints *checkpoints);
AUTO_CLEANER(own_checkpoints, struct checkpoints *, checkpoints_destroy)
#define AUTO_CHECKPOINTS AUTO(own_checkpoints)

/* Opens the spool with the draft that an earlier process left for this artifact, cut to what can be trusted
 * of it (then row->durable_bytes); *found is false, and the spool as it was, where there is none. Until the
 * caller calls one of the next two, the draft counts among those that wait, but cannot be evicted. */
bool checkpoints_take_up(struct checkpoints *checkpoints, const struct name *name, struct spool *spool,
	bool *found, struct fill_row *row, struct err *err);

/* What was taken up is the fill's own from now on, which claims its room; or it waits on, as it is. */
void checkpoints_settle(struct checkpoints *checkpoints, const struct name *name);
void checkpoints_put_back(struct checkpoints *checkpoints, const struct name *name);

/* The bytes of the drafts that wait; and removes about so many of them, the oldest first, and tells how many
 * went. Both may be called under other rooms' mutexes. */
int64_t checkpoints_waiting_bytes(struct checkpoints *checkpoints);
int64_t checkpoints_evict(struct checkpoints *checkpoints, int64_t wanted_bytes);

struct checkpoint;

/* Has a fill noted soon. Does not block, and the next one neither. */
struct checkpoint *checkpoint_open(struct checkpoints *checkpoints, struct spool *spool,
	const struct name *name, const char *upstream, const struct object *object);

/* Tells how long the draft is. */
void checkpoint_advance(struct checkpoint *checkpoint, int64_t length);

/* Ends it: with stays the note is made once more and holds, and the draft waits; else it is deleted. Takes
 * NULL. */
void checkpoint_close(struct checkpoint *checkpoint, bool stays);

#endif
