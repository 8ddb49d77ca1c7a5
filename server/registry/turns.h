/* SPDX-License-Identifier: Apache-2.0
 *
 * So many uploads at once, and no more than three quarters of them one client's; who comes after that waits
 * in line without a thread. It is first the turn of whose client has the fewest places, then first come first
 * served. */
#ifndef SERVER_REGISTRY_TURNS_H
#define SERVER_REGISTRY_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/list.h"
#include "common/waiter.h"

struct share;
struct turns;

/* destroy takes NULL; nobody may be inside or in line then. */
struct turns *turns_create(int64_t places);
void turns_destroy(struct turns *turns);

/* A place, or one in line for it; zeroed before. Its fields belong to the turns. */
struct upload_turn {
	struct list_link link; /* in line */
	struct waiter *waiter; /* NULL: nobody sleeps on it */
	struct share *share;
	enum { TURN_NONE, TURN_IN_LINE, TURN_TAKEN } state;
};

/* Takes a place, or the end of the line. The client is known by a word (a token's name). ERR_BUSY: he has
 * many in line already. */
bool turns_enter(struct turns *turns, const char *client, struct upload_turn *turn, struct err *err);

/* Whether it is in line still; the waiter has joined then, and is woken when its turn has come. leave takes
 * the waiter back, and not the turn; false if it has not joined, or has been or is being woken. */
bool turns_await(struct turns *turns, struct upload_turn *turn, struct waiter *waiter);
bool turns_leave(struct turns *turns, struct upload_turn *turn);

/* Gives up the place or the wait for it, if there is any; the next in line has its turn. */
void turns_exit(struct turns *turns, struct upload_turn *turn);

#endif
