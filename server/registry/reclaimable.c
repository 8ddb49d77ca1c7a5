/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/reclaimable.h"

#include <stdlib.h>

#include "common/mem.h"

static int64_t count_bytes(void *context)
{
	return members_bytes(context);
}

static int64_t evict(void *context, int64_t wanted_bytes)
{
	return members_evict(context, wanted_bytes);
}

struct reclaimable reclaimable_members(struct members *members)
{
	return (struct reclaimable){count_bytes, evict, members};
}

static int64_t count_drafts(void *context)
{
	return checkpoints_waiting_bytes(context);
}

static int64_t evict_drafts(void *context, int64_t wanted_bytes)
{
	return checkpoints_evict(context, wanted_bytes);
}

struct reclaimable reclaimable_drafts(struct checkpoints *checkpoints)
{
	return (struct reclaimable){count_drafts, evict_drafts, checkpoints};
}

struct unpacking_claim {
	struct space *space;
	struct claim claim;
};

static void *begin(void *context)
{
	struct unpacking_claim *unpacking = mem_zero(1, sizeof *unpacking);

	unpacking->space = context;
	return unpacking;
}

static bool extend(void *context, int64_t written_bytes, int64_t total_bytes, struct err *err)
{
	struct unpacking_claim *unpacking = context;

	return space_note_length(unpacking->space, &unpacking->claim, written_bytes, err) &&
	       space_claim(unpacking->space, &unpacking->claim, total_bytes, err);
}

static void end(void *context)
{
	struct unpacking_claim *unpacking = context;

	space_release(unpacking->space, &unpacking->claim);
	free(unpacking);
}

struct members_room reclaimable_room(struct space *space)
{
	return (struct members_room){begin, extend, end, space};
}
