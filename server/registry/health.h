/* SPDX-License-Identifier: Apache-2.0
 *
 * The circuit breakers of the upstreams: which of them is left alone for a while after failures in a row, by
 * the next process too; and whose turn it is where only so many transfers may run at once. */
#ifndef SERVER_REGISTRY_HEALTH_H
#define SERVER_REGISTRY_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"
#include "server/upstream/upstream.h"

struct health;

/* The upstreams must outlive it; they are known by their place in the array. The catalog, which must too, has
 * the cool-downs that an earlier process left and is told of each change; one that cannot read or write makes
 * for a bad memory and no failure. destroy takes NULL. */
struct health *health_create(const struct upstream *upstreams, size_t count, struct catalog *catalog);
void health_destroy(struct health *health);

/* Leave to run one transfer with an upstream. */
struct turn {
	size_t upstream;
	bool is_probe; /* the first one behind a cool-down */
	bool of_fill;
};

/* Waits for a turn with this upstream, at most patience_ms (below zero: however long it takes). False with
 * ERR_UPSTREAM_UNREACHABLE and retry_after_s while it cools down, or ERR_BUSY where *stop was set or patience
 * ran out. Where true, health_leave() must follow, which blocks for the database where a cool-down has begun
 * or ended. Behind a cool-down only one is let through, to probe, until it has noted what it found, or has
 * left. */
bool health_enter(struct health *health, size_t upstream, int64_t patience_ms, const _Atomic bool *stop,
	struct turn *out, struct err *err);
void health_leave(struct health *health, struct turn *turn);

/* No upstream gives more than so many turns to fills; 0: as many as it has. Before the first of them. */
void health_share(struct health *health, int64_t turns_of_fills);

/* The same for a fill, which holds something that others want as well: its turn, at once or not at all (then
 * ERR_BUSY); and, holding nothing, a wait until trying is worth while. *stop is looked at when health_wake()
 * is called. */
bool health_try(struct health *health, size_t upstream, struct turn *out, struct err *err);
bool health_await(struct health *health, size_t upstream, int64_t patience_ms, const _Atomic bool *stop,
	struct err *err);
void health_wake(struct health *health);

/* Notes what a transfer found, as soon as it knows: well is an upstream that answers as a server that works
 * does, if only to say no; ill one that is out of reach, is silent, or answers 5xx or 429. Three of these in
 * a row begin a cool-down. name: what was asked for, where the fault may lie with that alone; it then counts
 * once in a row however often it is asked for. NULL: it is the server's for certain. retry_after_s: for how
 * long it asked to be left alone, which begins a cool-down at once; 0 where it did not. */
void health_note_well(struct health *health, struct turn *turn);
void health_note_ill(
	struct health *health, struct turn *turn, const struct name *name, int64_t retry_after_s);

/* Whether nobody would be let through now, whoever's turn it is. */
bool health_is_cooling(struct health *health, size_t upstream);

/* Until when that holds, by the wall clock; 0 where it does not. */
int64_t health_cooling_until_s(struct health *health, size_t upstream);

#endif
