/* SPDX-License-Identifier: Apache-2.0 */
#include "server/kagglehub/alarms.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/thread.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"alarms", RANK_ALARMS};

/* So much later than they are set for they may ring. */
enum { STEP_MS = 250 };

struct alarms {
	struct lock mutex; /* guards all below it */
	pthread_cond_t changed;
	struct list set;
	bool ends;
	pthread_t thread;
};

/* Those whose time has come, detached from what they waited for. */
static struct waiter *take_due(struct alarms *alarms)
{
	int64_t now_ms = clock_monotonic_ms();
	struct waiter *due = NULL;

	lock_expect(&alarms->mutex);
	LIST_EACH (struct alarm, alarm, link, &alarms->set) {
		if (alarm->at_ms > now_ms)
			continue;
		list_remove(&alarm->link);
		if (alarm->leave(alarm->object, alarm->waiter))
			waiter_join(&due, alarm->waiter);
	}
	return due;
}

static void *run(void *context)
{
	struct alarms *alarms = context;

	lock_acquire(&alarms->mutex);
	while (!alarms->ends) {
		struct waiter *due = take_due(alarms);

		if (due) {
			lock_release(&alarms->mutex);
			waiter_wake_all(due);
			lock_acquire(&alarms->mutex);
		} else if (list_is_empty(&alarms->set)) {
			lock_wait(&alarms->mutex, &alarms->changed);
		} else {
			(void)lock_wait_until(
				&alarms->mutex, &alarms->changed, clock_monotonic_ms() + STEP_MS);
		}
	}
	lock_release(&alarms->mutex);
	return NULL;
}

bool alarms_create(struct alarms **out, struct err *err)
{
	struct alarms *alarms = mem_zero(1, sizeof *alarms);
	const struct thread_plan plan = {.name = "alarms", .role = THREAD_ANY, .run = run, .context = alarms};

	lock_init(&alarms->mutex, &lock_place);
	(void)pthread_cond_init(&alarms->changed, NULL);
	list_init(&alarms->set);
	if (!thread_start(&alarms->thread, &plan, err)) {
		free(alarms);
		return false;
	}
	*out = alarms;
	return true;
}

static void announce_end(struct alarms *alarms)
{
	LOCKED(&alarms->mutex);
	alarms->ends = true;
	(void)pthread_cond_signal(&alarms->changed);
}

void alarms_destroy(struct alarms *alarms)
{
	if (!alarms)
		return;
	announce_end(alarms);
	thread_join(alarms->thread);
	(void)pthread_cond_destroy(&alarms->changed);
	lock_finish(&alarms->mutex);
	free(alarms);
}

bool alarms_join(struct alarms *alarms, struct alarm *alarm, int64_t at_ms, void *object,
	bool (*join)(void *object, struct waiter *waiter), bool (*leave)(void *object, struct waiter *waiter),
	struct waiter *waiter)
{
	LOCKED(&alarms->mutex);

	if (!join(object, waiter))
		return false;
	alarm->at_ms = at_ms;
	alarm->waiter = waiter;
	alarm->object = object;
	alarm->leave = leave;
	if (list_is_empty(&alarms->set))
		(void)pthread_cond_signal(&alarms->changed);
	list_append(&alarms->set, &alarm->link);
	return true;
}

bool alarms_leave(struct alarms *alarms, struct alarm *alarm, void *object,
	bool (*leave)(void *object, struct waiter *waiter), struct waiter *waiter)
{
	LOCKED(&alarms->mutex);

	list_remove(&alarm->link);
	return leave(object, waiter);
}

void alarms_unset(struct alarms *alarms, struct alarm *alarm)
{
	LOCKED(&alarms->mutex);

	list_remove(&alarm->link);
}
