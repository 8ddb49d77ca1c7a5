/* SPDX-License-Identifier: Apache-2.0
 *
 * So many of something at once (uploads, unpackings), and no more than three quarters of them one client's;
 * who comes after that waits in line without a thread. It is first the turn of whose client has the fewest
 * places, then of whose has waited longest for one, then first come first served. */
#ifndef SERVER_REGISTRY_TURNS_H
#define SERVER_REGISTRY_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/list.h"
#include "common/own.h"
#include "common/waiter.h"
#include "server/metrics.h"

struct share;
struct turns;

/* What waits for its turn. */
struct turns_kind {
	const char *what;      /* "uploads"; */
	const char *key;       /* … that say how many there are at once, "publish.max_uploads" */
	int64_t line_of_place; /* so many of a client's may wait for each place; 0: any number */
	enum metric waiting;
};

/* destroy takes NULL; nobody may be inside or in line then. */
struct turns *turns_create(const struct turns_kind *kind, int64_t places);
void turns_destroy(struct turns *turns);
AUTO_CLEANER(own_turns, struct turns *, turns_destroy)
#define AUTO_TURNS AUTO(own_turns)

/* A place, or one in line for it; zeroed before. Its fields belong to the turns. */
struct line_turn {
	struct list_link link; /* in line */
	struct waiter *waiter; /* NULL: nobody sleeps on it */
	struct share *share;
	enum { TURN_NONE, TURN_IN_LINE, TURN_TAKEN } state;
};

/* Takes a place, or the end of the line. The client is known by a word (a token's name, an
 * address). ERR_BUSY: he has
 * many in line already. */
bool turns_enter(struct turns *turns, const char *client, struct line_turn *turn, struct err *err);

/* Whether it is in line still; the waiter has joined then, and is woken when its turn has come. leave takes
 * the waiter back, and not the turn; false if it has not joined, or has been or is being woken. */
bool turns_await(struct turns *turns, struct line_turn *turn, struct waiter *waiter);
bool turns_leave(struct turns *turns, struct line_turn *turn);

/* Gives up the place or the wait for it, if there is any; the next in line has its turn. */
void turns_exit(struct turns *turns, struct line_turn *turn);

#endif
