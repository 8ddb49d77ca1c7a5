/* SPDX-License-Identifier: Apache-2.0
 *
 * The fills of a mirror that run or wait: who is among them, whose clients' they are, and what has become of
 * those that have left. Decides nothing; the mirror's lock guards all of it. */
#ifndef SERVER_REGISTRY_RUNNING_FILLS_H
#define SERVER_REGISTRY_RUNNING_FILLS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/list.h"
#include "server/registry/fill_list.h"
#include "server/registry/running_fill.h"
#include "server/registry/shares.h"

/* Fills that have ended are counted by name, where names of one hash are one. */
enum { NAMES_APART = 1024 };

struct running_fills {
	struct list list; /* the newest first */
	int64_t last_id;
	struct shares shares; /* placed: those that have begun */
	uint64_t turns;       /* fills that have begun */
	uint64_t ended_of[NAMES_APART];
	struct ended_fills *ended;
	int64_t max_fills; /* at once */
};

/* finish: none is left. */
void running_fills_init(struct running_fills *fills, int64_t max_fills);
void running_fills_finish(struct running_fills *fills);

/* Whether this client may have one more, where so many are not over: nobody's take all rows. wanted: a client
 * waits for it. ERR_BUSY. */
bool running_fills_has_row(
	const struct running_fills *fills, const char *client, int64_t count, bool wanted, struct err *err);

/* A fill enters, and is the client's; it leaves once its spool has come to an end, and is remembered. */
void running_fills_add(struct running_fills *fills, struct running_fill *fill, const char *client);
void running_fills_remove(struct running_fills *fills, struct running_fill *fill);

/* Which one can be joined, of this name; which one has this number. Or NULL. */
struct running_fill *running_fills_find(const struct running_fills *fills, const struct name *name);
struct running_fill *running_fills_find_id(const struct running_fills *fills, int64_t id);

/* How many of this name are over, at least. Those that are about to end count already: nobody can join them,
 * and what they came to is in the catalog. */
uint64_t running_fills_count_over(const struct running_fills *fills, const struct name *name);

/* Nobody waits longer because somebody else, who has much already, asked before: one that waits becomes this
 * client's where that one has less than whose it was. */
void running_fills_lend(struct running_fills *fills, struct running_fill *fill, const char *client);

/* It has a place. */
void running_fills_begin(struct running_fills *fills, struct running_fill *fill);

/* All of them, oldest first, into a list that has room for them. */
void running_fills_list(const struct running_fills *fills, struct fill_list *out);

#endif
