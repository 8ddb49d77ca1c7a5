/* SPDX-License-Identifier: Apache-2.0
 *
 * Suspended connections: each is resumed exactly once, also where it is woken while it is being suspended,
 * and all of them are resumed before the server stops. */
#ifndef SERVER_HTTP_SLEEPERS_H
#define SERVER_HTTP_SLEEPERS_H

#include <pthread.h>
#include <stdbool.h>

#include "common/lock.h"

struct MHD_Connection;

enum sleep_state { SLEEP_AWAKE, SLEEP_DROWSY, SLEEP_WOKEN, SLEEP_ASLEEP };

/* One connection's sleep; zeroed, then house and connection set, by its owner. */
struct sleeper {
	struct sleepers *house;
	struct MHD_Connection *connection;
	/* Takes back what will wake it; false if it is just being woken. NULL: it is woken for sure, and
	 * soon. */
	bool (*leave)(struct sleeper *sleeper);
	enum sleep_state state;
	struct sleeper *previous;
	struct sleeper *next;
};

struct sleepers {
	struct lock mutex; /* guards the list, closing, and each sleeper's leave and state. Taken before
				  the mutex of what is waited for, by sleepers_close */
	pthread_cond_t all_up;
	struct sleeper *first;
	bool closing;
};

void sleepers_init(struct sleepers *sleepers);
void sleepers_finish(struct sleepers *sleepers);

/* Allows the sleeper to be woken from now on, before it sleeps. False once sleepers_close has begun. */
bool sleeper_prepare(struct sleeper *sleeper, bool (*leave)(struct sleeper *sleeper));

/* There is nothing to wait for after all (and nobody will wake it). */
void sleeper_cancel(struct sleeper *sleeper);

/* Suspends the connection, on its own thread: true. False: it has been woken in between and goes on at once.
 */
bool sleeper_sleep(struct sleeper *sleeper);

/* Ends the sleep, from any thread. The sleeper may be gone when this returns. */
void sleeper_wake(struct sleeper *sleeper);

/* Changes what a sleeper waits for. */
void sleeper_set_leave(struct sleeper *sleeper, bool (*leave)(struct sleeper *sleeper));

/* From now on nobody falls asleep, and who sleeps is woken; returns when all are up. */
void sleepers_close(struct sleepers *sleepers);

#endif
