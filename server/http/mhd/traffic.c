/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/mhd/traffic.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"traffic", RANK_TRAFFIC};

enum { CONFIRMATIONS_S = 1 };

void traffic_init(struct traffic *traffic, const struct front_settings *settings)
{
	*traffic = (struct traffic){.settings = *settings};
	lock_init(&traffic->mutex, &lock_place);
	(void)pthread_cond_init(&traffic->quiet, NULL);
	sleepers_init(&traffic->sleepers);
}

void traffic_finish(struct traffic *traffic)
{
	sleepers_finish(&traffic->sleepers);
	(void)pthread_cond_destroy(&traffic->quiet);
	lock_finish(&traffic->mutex);
}

void traffic_announce_end(struct traffic *traffic)
{
	atomic_store(&traffic->draining, true);
}

bool traffic_is_ending(const struct traffic *traffic)
{
	return atomic_load_explicit(&traffic->draining, memory_order_relaxed);
}

void traffic_enter(struct traffic *traffic)
{
	LOCKED(&traffic->mutex);
	metric_add(METRIC_REQUESTS_RUNNING, 1);
	traffic->running++;
}

void traffic_leave(struct traffic *traffic)
{
	LOCKED(&traffic->mutex);
	metric_add(METRIC_REQUESTS_RUNNING, -1);
	if (--traffic->running == 0)
		(void)pthread_cond_signal(&traffic->quiet);
}

void traffic_hand_over(struct traffic *traffic)
{
	LOCKED(&traffic->mutex);
	traffic->handed++;
}

void traffic_confirm(struct traffic *traffic)
{
	LOCKED(&traffic->mutex);
	if (--traffic->handed == 0)
		(void)pthread_cond_signal(&traffic->quiet);
}

void traffic_await_confirmations(struct traffic *traffic)
{
	LOCKED(&traffic->mutex);
	int64_t until_ms = clock_monotonic_ms() + 1000 * CONFIRMATIONS_S;

	while (traffic->handed && lock_wait_until(&traffic->mutex, &traffic->quiet, until_ms))
		continue;
}

void traffic_drain(struct traffic *traffic, unsigned timeout_s)
{
	LOCKED(&traffic->mutex);
	int64_t until_ms = clock_monotonic_ms() + 1000 * (int64_t)timeout_s;

	while (traffic->running && lock_wait_until(&traffic->mutex, &traffic->quiet, until_ms))
		continue;
}
