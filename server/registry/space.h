/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of the disk and who may have them: mirrored blobs, fills and unpacked members against a limit,
 * and everybody against what is to stay free. Owns the decision what goes to make room; the committer carries
 * it out. */
#ifndef SERVER_REGISTRY_SPACE_H
#define SERVER_REGISTRY_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/registry/committer.h"
#include "server/registry/shortage.h"

/* Something derived that takes room as well and goes before any blob does. */
struct reclaimable {
	int64_t (*bytes)(void *context);
	/* Removes about so many bytes, and tells how many went. */
	int64_t (*evict)(void *context, int64_t wanted_bytes);
	void *context;
};

struct space;

/* All must outlive it; of the reclaimables, which are copied, the first is evicted first. destroy takes NULL;
 * no claim may be left then. */
struct space *space_create(const struct space_limits *limits, struct catalog *catalog, struct blobs *blobs,
	struct committer *committer, const struct reclaimable *reclaimables, size_t reclaimable_count);
void space_destroy(struct space *space);
AUTO_CLEANER(own_space, struct space *, space_destroy)
#define AUTO_SPACE AUTO(own_space)

/* Room that was promised to one draft. Zeroed, it claims nothing; its fields are the space's. */
struct claim {
	bool unlimited; /* the owner's to set: an upload, which max_bytes does not bound */
	int64_t bytes;
	int64_t written;
};

/* Extends the claim to so many bytes in all, evicting to fit: not for loop threads. ERR_NO_SPACE where it can
 * never fit, ERR_BUSY where others, who will let go of it, have the room. */
bool space_claim(struct space *space, struct claim *claim, int64_t bytes, struct err *err);

/* Extends the claim by bytes that are on the disk already and have just stopped counting elsewhere, as
 * reclaimable ones. That changes nothing in all, and cannot fail. */
void space_adopt(struct space *space, struct claim *claim, int64_t bytes);

/* As space_claim, but waits for the others, until *stop or for a minute: ERR_NO_SPACE then. */
bool space_await(
	struct space *space, struct claim *claim, int64_t bytes, const _Atomic bool *stop, struct err *err);

/* Whether a draft of so many bytes is within the claim. */
bool space_covers(const struct claim *claim, int64_t bytes);

/* Extends the claim to cover a draft that grows to so many bytes, by steps where its length is not known: as
 * space_claim, but ERR_NO_SPACE where that cannot be now. */
bool space_reserve(struct space *space, struct claim *claim, int64_t bytes, struct err *err);

/* The draft has so many bytes now, more or fewer than before. False where they outgrow the claim. Waits for
 * nobody. */
bool space_note_covered(struct space *space, struct claim *claim, int64_t bytes);

/* Both: reserves, and notes. */
bool space_note_length(struct space *space, struct claim *claim, int64_t bytes, struct err *err);

/* Gives back what was claimed, after the draft has become a blob or has gone. */
void space_release(struct space *space, struct claim *claim);

/* The disk was full before the limits were reached, by somebody else's doing: evicts what is worth a new try.
 * False where there is nothing. */
bool space_relieve(struct space *space);

/* Evicts until the limits hold, or nothing is left that may go. */
bool space_enforce(struct space *space, struct eviction *out, struct err *err);

struct space_view {
	int64_t free_bytes;
	bool full; /* the next upload finds no room, even if all were evicted that may be */
};

/* Looks, and shows what it sees in the metrics. Evicts nothing. */
bool space_look(struct space *space, struct space_view *out, struct err *err);

/* What space_enforce would evict now. */
bool space_preview(struct space *space, struct eviction *out, struct err *err);

#endif
