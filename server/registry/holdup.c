/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/holdup.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/store/catalog/catalog_opening.h"

static const struct lock_place lock_place = {"holdup", RANK_HOLDUP};

enum { LOOK_MS = 100, RETRY_AFTER_S = 10 };

struct holdup {
	struct lock mutex; /* guards the list and stopping */
	pthread_cond_t changed;
	struct list list; /* of who waits */
	bool stopping;
	struct catalog *catalog; /* from here on: immutable */
	int64_t timeout_ms;
	pthread_t thread;
	bool started;
};

/* Returns some time after somebody began to wait; false when the thread is to end. */
static bool await_somebody(struct holdup *holdup)
{
	LOCKED(&holdup->mutex);
	int64_t until_ms;

	while (list_is_empty(&holdup->list) && !holdup->stopping)
		lock_wait(&holdup->mutex, &holdup->changed);
	until_ms = clock_monotonic_ms() + LOOK_MS;
	while (!holdup->stopping && lock_wait_until(&holdup->mutex, &holdup->changed, until_ms))
		continue;
	return !holdup->stopping;
}

static void take_out(struct holdup *holdup, struct held *held)
{
	lock_expect(&holdup->mutex);
	list_remove(&held->link);
	metric_add(METRIC_COMMITS_WAITING, -1);
}

static struct waiter *detach(struct holdup *holdup, bool all)
{
	LOCKED(&holdup->mutex);
	int64_t now_ms = clock_monotonic_ms();
	struct waiter *detached = NULL;

	LIST_EACH (struct held, held, link, &holdup->list) {
		held->over = held->until_ms <= now_ms;
		if (all || held->over) {
			take_out(holdup, held);
			waiter_join(&detached, held->waiter);
		}
	}
	return detached;
}

static void *watch(void *argument)
{
	struct holdup *holdup = argument;

	while (await_somebody(holdup))
		waiter_wake_all(detach(holdup, catalog_is_free(holdup->catalog)));
	return NULL;
}

bool holdup_create(struct catalog *catalog, int64_t timeout_s, struct holdup **out, struct err *err)
{
	AUTO_HOLDUP struct holdup *holdup = mem_zero(1, sizeof *holdup);
	const struct thread_plan plan = {.name = "holdup", .run = watch, .context = holdup};

	lock_init(&holdup->mutex, &lock_place);
	(void)pthread_cond_init(&holdup->changed, NULL);
	list_init(&holdup->list);
	holdup->catalog = catalog;
	holdup->timeout_ms = 1000 * timeout_s;
	holdup->started = thread_start(&holdup->thread, &plan, err);
	if (!holdup->started)
		return false;
	*out = TAKE(holdup);
	return true;
}

static void stop(struct holdup *holdup)
{
	LOCKED(&holdup->mutex);
	holdup->stopping = true;
	(void)pthread_cond_signal(&holdup->changed);
}

void holdup_destroy(struct holdup *holdup)
{
	if (!holdup)
		return;
	stop(holdup);
	if (holdup->started)
		thread_join(holdup->thread);
	(void)pthread_cond_destroy(&holdup->changed);
	lock_finish(&holdup->mutex);
	free(holdup);
}

bool holdup_is_on(struct holdup *holdup)
{
	LOCKED(&holdup->mutex);
	return !list_is_empty(&holdup->list);
}

static bool refuse(const struct holdup *holdup, struct err *err)
{
	(void)err_set(err, ERR_BUSY,
		"another process has held the database for more than %" PRId64
		" seconds (publish.commit_timeout_s): send it again once that has let go",
		holdup->timeout_ms / 1000);
	err->retry_after_s = RETRY_AFTER_S;
	return false;
}

bool holdup_join(struct holdup *holdup, struct held *held, struct waiter *waiter, struct err *err)
{
	LOCKED(&holdup->mutex);

	if (!held->until_ms)
		held->until_ms = clock_monotonic_ms() + holdup->timeout_ms;
	if (held->over || holdup->timeout_ms == 0)
		return refuse(holdup, err);
	held->waiter = waiter;
	list_append(&holdup->list, &held->link);
	metric_add(METRIC_COMMITS_WAITING, 1);
	(void)pthread_cond_signal(&holdup->changed);
	return true;
}

bool holdup_leave(struct holdup *holdup, struct held *held)
{
	LOCKED(&holdup->mutex);

	if (!list_holds(&held->link))
		return false;
	take_out(holdup, held);
	return true;
}
