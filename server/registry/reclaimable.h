/* SPDX-License-Identifier: Apache-2.0
 *
 * What is reclaimable first: unpacked files and drafts of interrupted fills. They count under max_bytes and
 * are evicted before any blob, and what is being unpacked claims its room first. */
#ifndef SERVER_REGISTRY_RECLAIMABLE_H
#define SERVER_REGISTRY_RECLAIMABLE_H

#include "server/registry/checkpoints.h"
#include "server/registry/space.h"
#include "server/store/unpacked/members.h"

/* The members as something derived that the space may evict. */
struct reclaimable reclaimable_members(struct members *members);

/* The same for the drafts that wait to be gone on with. */
struct reclaimable reclaimable_drafts(struct checkpoints *checkpoints);

/* The space as the one who grants room to the members. */
struct members_room reclaimable_room(struct space *space);

#endif
