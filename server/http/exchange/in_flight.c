/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange/in_flight.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "common/clock.h"
#include "common/invariant.h"
#include "common/lock.h"
#include "common/own.h"
#include "server/http/rendition.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"in flight", RANK_IN_FLIGHT};

enum { CONFIRMATIONS_S = 1 };

void in_flight_init(struct in_flight *in_flight, const struct front_settings *settings)
{
	*in_flight = (struct in_flight){.settings = *settings};
	lock_init(&in_flight->mutex, &lock_place);
	(void)pthread_cond_init(&in_flight->quiet, NULL);
	suspensions_init(&in_flight->suspensions);
	in_flight->renditions = renditions_create();
	in_flight->quiet_socket = -1;
}

void in_flight_finish(struct in_flight *in_flight)
{
	own_close(&in_flight->quiet_socket);
	renditions_destroy(in_flight->renditions);
	suspensions_finish(&in_flight->suspensions);
	(void)pthread_cond_destroy(&in_flight->quiet);
	lock_finish(&in_flight->mutex);
}

void in_flight_announce_end(struct in_flight *in_flight)
{
	atomic_store(&in_flight->draining, true);
}

bool in_flight_is_ending(const struct in_flight *in_flight)
{
	return atomic_load_explicit(&in_flight->draining, memory_order_relaxed);
}

void in_flight_enter(struct in_flight *in_flight)
{
	LOCKED(&in_flight->mutex);
	metric_add(METRIC_REQUESTS_RUNNING, 1);
	in_flight->running++;
}

void in_flight_leave(struct in_flight *in_flight)
{
	LOCKED(&in_flight->mutex);
	metric_add(METRIC_REQUESTS_RUNNING, -1);
	INVARIANT(in_flight->running > 0);
	if (--in_flight->running == 0)
		(void)pthread_cond_signal(&in_flight->quiet);
}

void in_flight_hand_over(struct in_flight *in_flight)
{
	LOCKED(&in_flight->mutex);
	in_flight->handed++;
}

void in_flight_confirm(struct in_flight *in_flight)
{
	LOCKED(&in_flight->mutex);
	INVARIANT(in_flight->handed > 0);
	if (--in_flight->handed == 0)
		(void)pthread_cond_signal(&in_flight->quiet);
}

void in_flight_await_confirmations(struct in_flight *in_flight)
{
	LOCKED(&in_flight->mutex);
	int64_t until_ms = clock_monotonic_ms() + 1000 * CONFIRMATIONS_S;

	while (in_flight->handed && lock_wait_until(&in_flight->mutex, &in_flight->quiet, until_ms))
		continue;
}

void in_flight_drain(struct in_flight *in_flight, unsigned timeout_s)
{
	LOCKED(&in_flight->mutex);
	int64_t until_ms = clock_monotonic_ms() + 1000 * (int64_t)timeout_s;

	while (in_flight->running && lock_wait_until(&in_flight->mutex, &in_flight->quiet, until_ms))
		continue;
}
