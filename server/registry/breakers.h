/* SPDX-License-Identifier: Apache-2.0
 *
 * The circuit breakers of the upstreams: which of them is left alone for a while after failures in a row, by
 * the next process too; and whose turn it is where only so many transfers may run at once. */
#ifndef SERVER_REGISTRY_BREAKERS_H
#define SERVER_REGISTRY_BREAKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"
#include "server/upstream/upstream.h"

struct catalog;
struct breakers;

/* The upstreams must outlive it; they are known by their place in the array. The catalog, which must too, has
 * the cool-downs that an earlier process left and is told of each change; one that cannot read or write makes
 * for a bad memory and no failure. destroy takes NULL. */
struct breakers *breakers_create(const struct upstream *upstreams, size_t count, struct catalog *catalog);
void breakers_destroy(struct breakers *breakers);
AUTO_CLEANER(own_breakers, struct breakers *, breakers_destroy)
#define AUTO_BREAKERS AUTO(own_breakers)

/* Leave to run one transfer with an upstream. */
struct turn {
	size_t upstream;
	bool is_probe; /* the first one behind a cool-down */
	bool of_fill;
	bool is_taken; /* until breakers_leave */
};

/* Waits for a turn with this upstream, at most patience_ms (below zero: however long it takes). False with
 * ERR_UPSTREAM_UNREACHABLE and retry_after_s while it cools down, or ERR_BUSY where *stop was set or patience
 * ran out. Where true, breakers_leave() must follow, which blocks for the database where a cool-down has
 * begun or ended. Behind a cool-down only one is let through, to probe, until it has noted what it found, or
 * has left. */
bool breakers_enter(struct breakers *breakers, size_t upstream, int64_t patience_ms, const _Atomic bool *stop,
	struct turn *out, struct err *err);
void breakers_leave(struct breakers *breakers, struct turn *turn);

/* What one of several upstreams may have of the places of fills; 0: all. */
int64_t breakers_share_of(int64_t places, size_t upstream_count);

/* No upstream gives more than so many turns to fills; 0: as many as it has. Before the first of them. */
void breakers_share(struct breakers *breakers, int64_t turns_of_fills);

/* The same for a fill, which holds something that others want as well: its turn, at once or not at all (then
 * ERR_BUSY); and, holding nothing, a wait until trying is worth while. *stop is looked at when
 * breakers_wake() is called. */
bool breakers_try(struct breakers *breakers, size_t upstream, struct turn *out, struct err *err);
bool breakers_await(struct breakers *breakers, size_t upstream, int64_t patience_ms, const _Atomic bool *stop,
	struct err *err);
void breakers_wake(struct breakers *breakers);

/* Whether there is a turn for a fill that has not begun: beside those that wait for another one. */
bool breakers_has_turn(struct breakers *breakers, size_t upstream);

/* To be told of turns that are given back, without a lock of ours. Before it is used. */
void breakers_set_freed(struct breakers *breakers, void (*freed)(void *context), void *context);

/* Notes what a transfer found, as soon as it knows: well is an upstream that answers as a server that works
 * does, if only to say no; ill one that is out of reach, is silent, or answers 5xx or 429. Three of these in
 * a row begin a cool-down. name: what was asked for, where the fault may lie with that alone; it then counts
 * once in a row however often it is asked for. NULL: it is the server's for certain. retry_after_s: for how
 * long it asked to be left alone, which begins a cool-down at once; 0 where it did not. */
void breakers_note_success(struct breakers *breakers, struct turn *turn);
void breakers_note_failure(
	struct breakers *breakers, struct turn *turn, const struct name *name, int64_t retry_after_s);

/* Whether nobody would be let through now, whoever's turn it is. */
bool breakers_is_cooling(struct breakers *breakers, size_t upstream);

/* Until when that holds, by the wall clock; 0 where it does not. */
int64_t breakers_cooling_until_s(struct breakers *breakers, size_t upstream);

#endif
