/* SPDX-License-Identifier: Apache-2.0
 *
 * Suspended connections: each is resumed exactly once, also where it is woken while it is being suspended,
 * and all of them are resumed before the server stops. */
#ifndef SERVER_HTTP_MHD_SLEEPERS_H
#define SERVER_HTTP_MHD_SLEEPERS_H

#include <pthread.h>
#include <stdbool.h>

#include "common/lock.h"

struct MHD_Connection;

enum sleep_state { SLEEP_AWAKE, SLEEP_DROWSY, SLEEP_WOKEN, SLEEP_ASLEEP };

/* One connection's sleep; zeroed, then house and connection set and hidden -1, by its owner. */
struct sleeper {
	struct sleepers *house;
	struct MHD_Connection *connection;
	/* Takes back what will wake it; false if it is just being woken. NULL: it is woken for sure, and
	 * soon. */
	bool (*leave)(struct sleeper *sleeper);
	/* Whether its client is gone, where that ends the sleep (by leave); NULL: it sleeps on. Short: a lock
	 * is held. */
	bool (*is_deserted)(const struct sleeper *sleeper);
	enum sleep_state state;
	bool unanswered;    /* libmicrohttpd asks for its answer when it wakes: set before it sleeps */
	_Atomic int hidden; /* its socket, where that is not where libmicrohttpd has it; -1: it is */
	struct sleeper *previous;
	struct sleeper *next;
};

struct sleepers {
	struct lock mutex; /* guards the list, closing, and each sleeper's leave and state. Taken before
				  the mutex of what is waited for, by sleepers_close */
	pthread_cond_t all_up;
	pthread_cond_t watch; /* somebody is to be looked after, or nobody any longer */
	struct sleeper *first;
	bool closing;
	bool blind;       /* nobody is looked after any longer */
	int quiet_socket; /* see guest_hide_end */
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

/* On the connection's thread: it has woken, or its request has ended. libmicrohttpd may also come while it
 * sleeps. */
void sleeper_is_up(struct sleeper *sleeper);

/* Changes what a sleeper waits for. */
void sleeper_set_leave(struct sleeper *sleeper, bool (*leave)(struct sleeper *sleeper));

/* The same, and looks after its client meanwhile. */
void sleeper_look_after(struct sleeper *sleeper, bool (*leave)(struct sleeper *sleeper),
	bool (*is_deserted)(const struct sleeper *sleeper));

/* Its connection's socket. */
int sleeper_socket(const struct sleeper *sleeper);

/* Waits until there is somebody to look after, and half a second; then wakes those whose client is gone.
 * False after sleepers_stop_looking. */
bool sleepers_look_after(struct sleepers *sleepers);
void sleepers_stop_looking(struct sleepers *sleepers);

/* From now on nobody falls asleep, and who sleeps is woken; returns when all are up. */
void sleepers_close(struct sleepers *sleepers);

#endif
