/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads: how one is started, what it is called (top -H shows it), what it may wait for, and who comes first
 * on a core. Every thread has a role; in builds that check (-Dchecks=true, as all suites have it), a loop
 * thread that comes to may_block aborts the process, and a disk thread that comes to may_call_out (lock.h).
 */
#ifndef COMMON_THREAD_H
#define COMMON_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum thread_role {
	THREAD_ANY,  /* may wait for anything */
	THREAD_DISK, /* as any, but for the network: others wait for it */
	THREAD_LOOP  /* serves many connections in turn: must not wait for anything but its events, which it
			gets to before long work has had its time */
};

struct thread_plan {
	const char *name; /* at most 15 characters count */
	enum thread_role role;
	int niceness; /* 0: the process' own; more than that: long work, which does not interrupt others */
	bool idle;    /* runs when no other thread of the system wants to; it must hold no lock */
	void *(*run)(void *context);
	void *context;
	bool detached;      /* nobody joins it; out may be NULL then */
	size_t stack_bytes; /* 0: the system's */
};

/* Starts a thread. What the plan points to is copied, but for the context. ERR_BUSY where the system gives no
 * more of them. */
bool thread_start(pthread_t *out, const struct thread_plan *plan, struct err *err);

/* Waits for a thread to end, which a loop thread may not. */
void thread_join(pthread_t thread);

/* For a thread that a library started: gives it a name and a role. Quick where it has them already. */
void thread_adopt(const char *name, enum thread_role role);

enum thread_role thread_role(void);

/* Stands at the beginning of whatever can take long (a database write, a wait, fsync, a transfer): in builds
 * that check, a loop thread that comes here aborts with these words. */
void may_block(const char *what);

/* What a loop thread does in between is known, and rare: it is not checked. */
void thread_excuse(bool excused);

/* Whether this build checks. */
bool thread_checks(void);

#endif
