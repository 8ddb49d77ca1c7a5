/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/schedule.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/thread.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"schedule", RANK_SCHEDULE};

struct schedule {
	struct lock mutex; /* guards these four */
	pthread_cond_t changed;
	bool kicked;
	bool started;
	bool ending;
	pthread_t thread;
	bool (*step)(void *context, int64_t *until_ms);
	void *context;
};

/* False: it is to end. */
static bool await_kick(struct schedule *schedule, int64_t until_ms)
{
	LOCKED(&schedule->mutex);

	while (!schedule->kicked && !schedule->ending) {
		if (until_ms == INT64_MAX)
			lock_wait(&schedule->mutex, &schedule->changed);
		else if (!lock_wait_until(&schedule->mutex, &schedule->changed, until_ms))
			break;
	}
	schedule->kicked = false;
	return !schedule->ending;
}

static void *run(void *argument)
{
	struct schedule *schedule = argument;
	int64_t until_ms;

	do {
		until_ms = INT64_MAX;
		while (schedule->step(schedule->context, &until_ms))
			until_ms = INT64_MAX;
	} while (await_kick(schedule, until_ms));
	return NULL;
}

struct schedule *schedule_create(bool (*step)(void *context, int64_t *until_ms), void *context)
{
	struct schedule *schedule = mem_zero(1, sizeof *schedule);

	lock_init(&schedule->mutex, &lock_place);
	(void)pthread_cond_init(&schedule->changed, NULL);
	schedule->step = step;
	schedule->context = context;
	return schedule;
}

static void end(struct schedule *schedule)
{
	LOCKED(&schedule->mutex);

	schedule->ending = true;
	(void)pthread_cond_signal(&schedule->changed);
}

void schedule_destroy(struct schedule *schedule)
{
	if (!schedule)
		return;
	end(schedule);
	if (schedule->started)
		thread_join(schedule->thread);
	(void)pthread_cond_destroy(&schedule->changed);
	lock_finish(&schedule->mutex);
	free(schedule);
}

static bool start(struct schedule *schedule, struct err *err)
{
	const struct thread_plan plan = {.name = "schedule", .run = run, .context = schedule};

	lock_expect(&schedule->mutex);
	if (!schedule->started && !schedule->ending)
		schedule->started = thread_start(&schedule->thread, &plan, err);
	return schedule->started || schedule->ending;
}

bool schedule_start(struct schedule *schedule, struct err *err)
{
	LOCKED(&schedule->mutex);

	return start(schedule, err);
}

void schedule_kick(struct schedule *schedule)
{
	struct err err;
	LOCKED(&schedule->mutex);

	schedule->kicked = true;
	/* The next kick tries again. */
	if (!start(schedule, &err))
		log_event(LOG_LEVEL_ERROR, "fills wait for a thread that starts them", "why", err.text, NULL);
	(void)pthread_cond_signal(&schedule->changed);
}
