/* SPDX-License-Identifier: Apache-2.0 */
#include "common/waiter.h"

#include <stddef.h>

void waiter_join(struct waiter **list, struct waiter *waiter)
{
	waiter->next = *list;
	*list = waiter;
}

bool waiter_leave(struct waiter **list, struct waiter *waiter)
{
	for (struct waiter **link = list; *link; link = &(*link)->next) {
		if (*link == waiter) {
			*link = waiter->next;
			return true;
		}
	}
	return false;
}

struct waiter *waiter_concat(struct waiter *one, struct waiter *other)
{
	struct waiter **end = &one;

	while (*end)
		end = &(*end)->next;
	*end = other;
	return one;
}

void waiter_wake_all(struct waiter *detached)
{
	while (detached) {
		/* The waiter may be gone as soon as it is woken. */
		struct waiter *next = detached->next;

		detached->wake(detached);
		detached = next;
	}
}
