/* SPDX-License-Identifier: Apache-2.0
 *
 * Somebody who sleeps until something happens, as a link in the list of what he waits for. The list's owner
 * guards it with its own mutex: checking for progress and joining the list is one critical section, so no
 * wake is lost. */
#ifndef COMMON_WAITER_H
#define COMMON_WAITER_H

#include <stdbool.h>

struct waiter {
	/* Called once after the wait, outside the owner's mutex, on the waker's thread. Must be short and not
	 * block. The waiter may be freed or wait again from then on. */
	void (*wake)(struct waiter *waiter);
	/* In the list of what is waited for. Not common/list.h: who stands in a list that was detached must
	 * be told from who may still leave. */
	struct waiter *next;
};

/* Joins a list (under its owner's mutex). */
void waiter_join(struct waiter **list, struct waiter *waiter);

/* Takes a waiter out of the list (under its owner's mutex); false if it is not in it: it has been, or is
 * being, woken. */
bool waiter_leave(struct waiter **list, struct waiter *waiter);

/* Puts two detached lists together; either may be NULL. */
struct waiter *waiter_concat(struct waiter *one, struct waiter *other);

/* Wakes every waiter of a list that was detached under the mutex; call it outside of the mutex. */
void waiter_wake_all(struct waiter *detached);

#endif
