/* SPDX-License-Identifier: Apache-2.0
 *
 * Wakes whoever waits for something else when that takes too long: for clients that end a connection on which
 * nothing comes for some seconds. */
#ifndef SERVER_KAGGLEHUB_ALARMS_H
#define SERVER_KAGGLEHUB_ALARMS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/list.h"
#include "common/own.h"
#include "common/waiter.h"

struct alarms;

/* One that may ring; zeroed before. Its fields are the room's. */
struct alarm {
	struct list_link link;
	int64_t at_ms;
	struct waiter *waiter;
	void *object;
	bool (*leave)(void *object, struct waiter *waiter);
};

/* Has a thread. destroy ends it and takes NULL; no alarm may be set then. */
bool alarms_create(struct alarms **out, struct err *err);
void alarms_destroy(struct alarms *alarms);
AUTO_CLEANER(own_alarms, struct alarms *, alarms_destroy)
#define AUTO_ALARMS AUTO(own_alarms)

/* Has the object joined by the waiter (join answers as later_ops.ready does, but true where it has joined),
 * and sets the alarm for a time of clock_monotonic_ms(): whichever comes first wakes it. leave takes the
 * waiter back. Returns whether it has joined; from then on another thread may own the object and the alarm.
 */
bool alarms_join(struct alarms *alarms, struct alarm *alarm, int64_t at_ms, void *object,
	bool (*join)(void *object, struct waiter *waiter), bool (*leave)(void *object, struct waiter *waiter),
	struct waiter *waiter);

/* Takes both back; false if the waiter has not joined, has been or is being woken. */
bool alarms_leave(struct alarms *alarms, struct alarm *alarm, void *object,
	bool (*leave)(void *object, struct waiter *waiter), struct waiter *waiter);

/* After it was woken: it rings no more. */
void alarms_unset(struct alarms *alarms, struct alarm *alarm);

#endif
