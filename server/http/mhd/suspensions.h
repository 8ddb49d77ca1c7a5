/* SPDX-License-Identifier: Apache-2.0
 *
 * Suspended connections: each is resumed exactly once, also where it is woken while it is being suspended,
 * and all of them are resumed before the server stops. */
#ifndef SERVER_HTTP_MHD_SUSPENSIONS_H
#define SERVER_HTTP_MHD_SUSPENSIONS_H

#include <pthread.h>
#include <stdbool.h>

#include "common/lock.h"

struct MHD_Connection;

enum suspension_state { SUSPENSION_NONE, SUSPENSION_PREPARED, SUSPENSION_RESUMED, SUSPENSION_ON };

/* How one connection is suspended; zeroed, then owner and connection set and hidden -1, by its owner. */
struct suspension {
	struct suspensions *owner;
	struct MHD_Connection *connection;
	/* Takes back what will wake it; false if it is just being woken. NULL: it is woken for sure, and
	 * soon. */
	bool (*leave)(struct suspension *suspension);
	/* Whether its client is gone, where that ends the wait (by leave); NULL: it waits on. Short: a lock
	 * is held. */
	bool (*is_deserted)(const struct suspension *suspension);
	enum suspension_state state;
	bool unanswered; /* libmicrohttpd asks for its answer when it is resumed: set before it is suspended
			  */
	_Atomic int hidden; /* its socket, where that is not where libmicrohttpd has it; -1: it is */
	struct suspension *previous;
	struct suspension *next;
};

struct suspensions {
	struct lock mutex; /* guards the list, closing, and each suspension's leave and state. Taken before
				  the mutex of what is waited for, by suspensions_close */
	pthread_cond_t all_up;
	pthread_cond_t watch; /* somebody is to be looked after, or nobody any longer */
	struct suspension *first;
	bool closing;
	bool blind;       /* nobody is looked after any longer */
	int quiet_socket; /* see guest_hide_end */
};

void suspensions_init(struct suspensions *suspensions);
void suspensions_finish(struct suspensions *suspensions);

/* Allows it to be resumed from now on, before it is suspended. False once suspensions_close has begun. */
bool suspension_prepare(struct suspension *suspension, bool (*leave)(struct suspension *suspension));

/* There is nothing to wait for after all (and nobody will wake it). */
void suspension_cancel(struct suspension *suspension);

/* Suspends the connection, on its own thread: true. False: it has been woken in between and goes on at once.
 */
bool suspension_begin(struct suspension *suspension);

/* Resumes the connection, from any thread. The suspension may be gone when this returns. */
void suspension_resume(struct suspension *suspension);

/* On the connection's thread: it has been resumed, or its request has ended. libmicrohttpd may also come
 * while it is suspended. */
void suspension_is_over(struct suspension *suspension);

/* Changes what a suspension waits for. */
void suspension_set_leave(struct suspension *suspension, bool (*leave)(struct suspension *suspension));

/* The same, and looks after its client meanwhile. */
void suspension_watch_client(struct suspension *suspension, bool (*leave)(struct suspension *suspension),
	bool (*is_deserted)(const struct suspension *suspension));

/* Its connection's socket. */
int suspension_socket(const struct suspension *suspension);

/* Waits until there is somebody to look after, and half a second; then wakes those whose client is gone.
 * False after suspensions_stop_checking. */
bool suspensions_check_clients(struct suspensions *suspensions);
void suspensions_stop_checking(struct suspensions *suspensions);

/* From now on nothing is suspended, and what is suspended is resumed; returns when all are. */
void suspensions_close(struct suspensions *suspensions);

#endif
