/* SPDX-License-Identifier: Apache-2.0
 *
 * Suspended connections: each is resumed exactly once, also where it is woken while it is being suspended,
 * and all of them are resumed before the server stops. */
#ifndef SERVER_HTTP_EXCHANGE_SUSPENSIONS_H
#define SERVER_HTTP_EXCHANGE_SUSPENSIONS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/lock.h"

struct suspension;

enum { SUSPENSION_SIGN_MS = 5000 };

/* How whoever has a connection suspends it, and has it go on. */
struct suspension_ops {
	/* On the connection's own thread. */
	void (*suspend)(struct suspension *suspension);
	/* From any thread. Short: a lock is held. */
	void (*resume)(struct suspension *suspension);
	int (*socket)(const struct suspension *suspension);
};

enum suspension_state { SUSPENSION_NONE, SUSPENSION_PREPARED, SUSPENSION_RESUMED, SUSPENSION_ON };

/* How one connection is suspended; zeroed, then owner, ops and connection set, by its owner. */
struct suspension {
	struct suspensions *owner;
	const struct suspension_ops *ops;
	void *connection; /* the ops' */
	/* Takes back what will wake it; false if it is just being woken. NULL: it is woken for sure, and
	 * soon. */
	bool (*leave)(struct suspension *suspension);
	/* Whether its client is gone, where that ends the wait (by leave); NULL: it waits on. Short: a lock
	 * is held. */
	bool (*is_deserted)(const struct suspension *suspension);
	enum suspension_state state;
	int64_t sign_at_ms;    /* when its client is shown next that he is served; 0: never */
	bool unanswered;       /* it is asked for its answer when it is resumed: set before it is suspended */
	struct list_link link; /* among its owner's */
};

struct suspensions {
	struct lock mutex; /* guards the list, closing, and each suspension's leave and state. Taken before
				  the mutex of what is waited for, by suspensions_close */
	pthread_cond_t all_up;
	pthread_cond_t watch; /* somebody is to be looked after, or nobody any longer */
	struct list list;
	bool closing;
	bool blind; /* nobody is looked after any longer */
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

/* Changes what a suspension waits for. */
void suspension_set_leave(struct suspension *suspension, bool (*leave)(struct suspension *suspension));

/* The same, and looks after its client meanwhile. */
void suspension_watch_client(struct suspension *suspension, bool (*leave)(struct suspension *suspension),
	bool (*is_deserted)(const struct suspension *suspension));

/* Until its connection is resumed, sends an interim answer (100, RFC 9110 15.2) every SUSPENSION_SIGN_MS: for
 * a client that ends a silent connection. Nothing of an answer may have been sent. */
void suspension_show_life(struct suspension *suspension);

/* Its connection's socket. */
int suspension_socket(const struct suspension *suspension);

/* Waits until there is somebody to look after, and half a second; then wakes those whose client is gone, and
 * shows the others life. False after suspensions_stop_checking. */
bool suspensions_check_clients(struct suspensions *suspensions);
void suspensions_stop_checking(struct suspensions *suspensions);

/* From now on nothing is suspended, and what is suspended is resumed; returns when all are. */
void suspensions_close(struct suspensions *suspensions);

#endif
