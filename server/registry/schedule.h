/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread that looks what is to be done next whenever somebody says that something has changed, or a time
 * has come that it was told of. */
#ifndef SERVER_REGISTRY_SCHEDULE_H
#define SERVER_REGISTRY_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct schedule;

/* step does one thing and answers true, or answers false where there is nothing to do before *until_ms (by
 * clock_monotonic_ms(); INT64_MAX as it is given). The thread begins with the first kick, unless
 * schedule_start() has begun it. destroy waits for it; takes NULL. */
struct schedule *schedule_create(bool (*step)(void *context, int64_t *until_ms), void *context);
void schedule_destroy(struct schedule *schedule);
AUTO_CLEANER(own_schedule, struct schedule *, schedule_destroy)
#define AUTO_SCHEDULE AUTO(own_schedule)

/* Makes sure of the thread: without it nothing is ever done. */
bool schedule_start(struct schedule *schedule, struct err *err);

/* Something has changed. Short: waits for nobody. */
void schedule_kick(struct schedule *schedule);

#endif
