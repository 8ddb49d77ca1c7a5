/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/traffic.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "common/clock.h"
#include "common/own.h"
#include "server/metrics.h"

enum { CONFIRMATIONS_S = 1 };

void traffic_init(struct traffic *traffic, const struct front_settings *settings)
{
	*traffic = (struct traffic){.settings = *settings};
	(void)pthread_mutex_init(&traffic->mutex, NULL);
	clock_init_cond(&traffic->quiet);
	sleepers_init(&traffic->sleepers);
}

void traffic_finish(struct traffic *traffic)
{
	sleepers_finish(&traffic->sleepers);
	(void)pthread_cond_destroy(&traffic->quiet);
	(void)pthread_mutex_destroy(&traffic->mutex);
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

static struct timespec in_seconds(unsigned seconds)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	return until;
}

void traffic_await_confirmations(struct traffic *traffic)
{
	LOCKED(&traffic->mutex);
	struct timespec until = in_seconds(CONFIRMATIONS_S);

	while (traffic->handed &&
		pthread_cond_timedwait(&traffic->quiet, &traffic->mutex, &until) != ETIMEDOUT)
		continue;
}

void traffic_drain(struct traffic *traffic, unsigned timeout_s)
{
	LOCKED(&traffic->mutex);
	struct timespec until = in_seconds(timeout_s);

	while (traffic->running &&
		pthread_cond_timedwait(&traffic->quiet, &traffic->mutex, &until) != ETIMEDOUT)
		continue;
}
