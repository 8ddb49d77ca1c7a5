/* SPDX-License-Identifier: Apache-2.0
 *
 * The ids of other Larders that a fill tells upstream in CDN-Loop: no more than all who wait for it have
 * sent, so that what one client sends is no reason to refuse the others. */
#ifndef SERVER_REGISTRY_TRAIL_H
#define SERVER_REGISTRY_TRAIL_H

#include <stdbool.h>

#include "common/lock.h"
#include "server/registry/cdn_loop.h"

struct trail {
	struct lock mutex; /* guards all below */
	char *ids;         /* a header as it is sent */
	bool closed;
};

/* ids, which it takes over, is what the first who asks would send upstream (cdn_loop_append). */
void trail_init(struct trail *trail, char *ids);
void trail_finish(struct trail *trail);

/* Somebody joins who would send these ids: what he has not sent is not told any more. False: it is closed,
 * and he joins nothing. */
bool trail_join(struct trail *trail, const char *ids);

/* What is to be sent now. */
void trail_read(struct trail *trail, char out[CDN_LOOP_MAX + 1]);

/* Upstream has refused what was sent. False where it is longer than what is to be sent by now: ask again.
 * Else nobody joins any more. */
bool trail_close(struct trail *trail, const char *sent);

#endif
