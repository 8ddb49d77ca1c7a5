/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/workers.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"workers", RANK_WORKERS};

struct workers {
	struct lock mutex; /* guards the queue and stopping */
	pthread_cond_t work;
	struct list queue;
	size_t queued;
	size_t queue_max;
	bool stopping;
	pthread_t *threads;
	unsigned thread_count;
};

/* The next job; NULL once the workers are stopping and nothing is left to do. */
static struct job *take_job(struct workers *workers)
{
	LOCKED(&workers->mutex);
	struct job *job;

	while (list_is_empty(&workers->queue) && !workers->stopping)
		lock_wait(&workers->mutex, &workers->work);
	job = LIST_TAKE(struct job, link, &workers->queue);
	workers->queued -= job != NULL;
	INVARIANT((workers->queued == 0) == list_is_empty(&workers->queue));
	return job;
}

static void *work(void *argument)
{
	struct workers *workers = argument;

	for (struct job *job = take_job(workers); job; job = take_job(workers)) {
		metric_observe(HISTOGRAM_WAIT_WORKER, clock_monotonic_us() - job->queued_us);
		job->run(job);
		mem_settle();
	}
	return NULL;
}

bool workers_create(
	const char *name, unsigned threads, size_t queue_max, struct workers **out, struct err *err)
{
	AUTO_WORKERS struct workers *workers = mem_zero(1, sizeof *workers);
	const struct thread_plan plan = {.name = name, .run = work, .context = workers};
	bool started = true;

	lock_init(&workers->mutex, &lock_place);
	(void)pthread_cond_init(&workers->work, NULL);
	list_init(&workers->queue);
	workers->queue_max = queue_max;
	workers->threads = mem_zero(threads, sizeof *workers->threads);
	while (workers->thread_count < threads && started) {
		started = thread_start(&workers->threads[workers->thread_count], &plan, err);
		workers->thread_count += started;
	}
	if (!started)
		return false;
	*out = TAKE(workers);
	return true;
}

static void stop(struct workers *workers)
{
	LOCKED(&workers->mutex);
	workers->stopping = true;
	(void)pthread_cond_broadcast(&workers->work);
}

void workers_destroy(struct workers *workers)
{
	if (!workers)
		return;
	stop(workers);
	for (unsigned i = 0; i < workers->thread_count; i++)
		thread_join(workers->threads[i]);
	(void)pthread_cond_destroy(&workers->work);
	lock_finish(&workers->mutex);
	free(workers->threads);
	free(workers);
}

static bool submit(struct workers *workers, struct job *job, size_t queue_max)
{
	job->queued_us = clock_monotonic_us();

	LOCKED(&workers->mutex);
	if (workers->queued >= queue_max)
		return false;
	list_append(&workers->queue, &job->link);
	workers->queued++;
	(void)pthread_cond_signal(&workers->work);
	return true;
}

bool workers_submit(struct workers *workers, struct job *job)
{
	return submit(workers, job, workers->queue_max);
}

void workers_submit_always(struct workers *workers, struct job *job)
{
	(void)submit(workers, job, SIZE_MAX);
}
