/* SPDX-License-Identifier: Apache-2.0
 *
 * Commits that wait until another process lets go of the database. They hold no thread meanwhile: one thread
 * looks for all of them. */
#ifndef SERVER_REGISTRY_HOLDUP_H
#define SERVER_REGISTRY_HOLDUP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/list.h"
#include "common/own.h"
#include "common/waiter.h"

struct catalog;
struct holdup;

/* timeout_s: how long each may wait in all. destroy takes NULL; nobody may wait then. */
bool holdup_create(struct catalog *catalog, int64_t timeout_s, struct holdup **out, struct err *err);
void holdup_destroy(struct holdup *holdup);
AUTO_CLEANER(own_holdup, struct holdup *, holdup_destroy)
#define AUTO_HOLDUP AUTO(own_holdup)

/* A commit that may have to wait; zeroed before. Its fields are the hold-up's. */
struct held {
	struct list_link link;
	struct waiter *waiter;
	int64_t until_ms; /* 0: it has not waited yet */
	bool over;        /* it has waited as long as it may */
};

/* Whether some wait: who comes now need not try. */
bool holdup_is_on(struct holdup *holdup);

/* True: the waiter has joined, and is woken when it is worth trying again. False with ERR_BUSY: the time is
 * over. */
bool holdup_join(struct holdup *holdup, struct held *held, struct waiter *waiter, struct err *err);

/* Takes the waiter back; false if it has not joined, or has been or is being woken. */
bool holdup_leave(struct holdup *holdup, struct held *held);

#endif
