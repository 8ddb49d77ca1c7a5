/* SPDX-License-Identifier: Apache-2.0
 *
 * Fills as they are seen from outside: how one stood when it was looked at, and those that ended lately,
 * which are remembered for a while so that whoever started some can learn what became of them. */
#ifndef SERVER_REGISTRY_FILL_LIST_H
#define SERVER_REGISTRY_FILL_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"
#include "server/registry/fill_progress.h"

/* One fill, as it stood when it was looked at. */
struct fill_status {
	int64_t id; /* unique while the process lives */
	struct name name;
	struct fill_figures figures; /* its state is FILL_KEPT or FILL_FAILED once it has ended */
	int64_t waiters;             /* clients that follow it */
	int64_t started_at;
	int64_t ended_at; /* 0: it runs */
	int64_t ended_as; /* how many had ended then, with this one; 0: it runs */
	bool refused;     /* it is about to end so; whoever asks now gets another one */
	struct err err;   /* why it failed */
};

struct fill_list {
	struct fill_status
		*items; /* those that run, oldest first; then those that ended lately, latest first */
	size_t count;
	size_t running; /* how many of them run or wait for their turn */
};
void fill_list_finish(struct fill_list *list);

/* Those that ended lately. The user's lock guards it. destroy takes NULL. */
struct ended_fills;
struct ended_fills *ended_fills_create(void);
void ended_fills_destroy(struct ended_fills *ended);
AUTO_CLEANER(own_ended_fills, struct ended_fills *, ended_fills_destroy)
#define AUTO_ENDED_FILLS AUTO(own_ended_fills)

/* Remembers one that has ended now. */
void ended_fills_add(struct ended_fills *ended, const struct fill_status *status);

/* Appends them to a list, which has room for so many more. */
enum { ENDED_FILLS_MAX = 256 };
void ended_fills_list(const struct ended_fills *ended, struct fill_list *list);

#endif
