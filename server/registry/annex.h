/* SPDX-License-Identifier: Apache-2.0
 *
 * Between space and members: what is unpacked counts under max_bytes and goes before any blob does, and what
 * is being unpacked claims its room first. */
#ifndef SERVER_REGISTRY_ANNEX_H
#define SERVER_REGISTRY_ANNEX_H

#include "server/registry/space.h"
#include "server/store/members.h"

/* The members as something derived that the space may evict. */
struct space_annex annex_of(struct members *members);

/* The space as the one who grants room to the members. */
struct members_room annex_room(struct space *space);

#endif
