/* SPDX-License-Identifier: Apache-2.0
 *
 * One fill of a mirror, from the first who asks for it to its end. */
#ifndef SERVER_REGISTRY_RUNNING_FILL_H
#define SERVER_REGISTRY_RUNNING_FILL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/list.h"
#include "common/own.h"
#include "server/module/name.h"
#include "server/registry/breakers.h"
#include "server/registry/fill_list.h"
#include "server/registry/fill_progress.h"
#include "server/registry/fill_tools.h"
#include "server/registry/queue.h"
#include "server/registry/shares.h"
#include "server/registry/trail.h"
#include "server/store/catalog/catalog_fills.h"
#include "server/store/spool.h"

struct mirror;

/* A fill that runs, or is a row in a list until it has a place and a connection: it has no thread, no
 * descriptor and no draft before. */
struct running_fill {
	struct list_link link; /* among those of its mirror (running_fills.h) */
	struct mirror *mirror;
	int64_t id;
	struct name name;
	struct spool *spool;
	struct fill_row row; /* what is noted of the spool's first bytes, */
	bool goes_on;        /* … where they are an earlier process's */
	struct trail trail;  /* told upstream */
	struct share *share; /* of who asked for it; guarded by the mirror's mutex, as "waits" is */
	int64_t started_at;
	struct fill_progress progress;
	bool waits; /* it has not begun */
	struct ticket ticket;
	struct turn turn; /* what it begins with */
};

/* One that waits. cdn_loop, which it takes over, is what begins its trail. destroy takes NULL. */
struct running_fill *running_fill_create(struct mirror *mirror, const struct name *name, char *cdn_loop);
void running_fill_destroy(struct running_fill *fill);
AUTO_CLEANER(own_running_fill, struct running_fill *, running_fill_destroy)
#define AUTO_RUNNING_FILL AUTO(own_running_fill)

/* Fills it on the calling thread, with an earlier process's draft of the artifact or a new one. */
void running_fill_run(struct running_fill *fill, const struct fill_tools *tools);

/* Ends it without having asked anybody. */
void running_fill_turn_away(struct running_fill *fill, const struct fill_tools *tools, const struct err *why);

/* Which of two that wait goes first: what clients wait for, then whose client has least, or has waited
 * longest for a turn, then what came first. */
bool running_fill_goes_before(const struct running_fill *fill, const struct running_fill *later);

/* As it is seen from outside while it runs, and once it has ended. */
struct fill_status running_fill_status(struct running_fill *fill);
struct fill_status running_fill_ended(struct running_fill *fill);

#endif
