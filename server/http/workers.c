/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/workers.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/own.h"

struct workers {
	pthread_mutex_t mutex; /* guards the queue and stopping */
	pthread_cond_t work;
	struct job *first;
	struct job **end; /* where the next job is linked in */
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

	while (!workers->first && !workers->stopping)
		(void)pthread_cond_wait(&workers->work, &workers->mutex);
	job = workers->first;
	if (!job)
		return NULL;
	workers->first = job->next;
	if (!workers->first)
		workers->end = &workers->first;
	workers->queued--;
	return job;
}

static void *work(void *argument)
{
	struct workers *workers = argument;

	for (struct job *job = take_job(workers); job; job = take_job(workers))
		job->run(job);
	return NULL;
}

bool workers_create(unsigned threads, size_t queue_max, struct workers **out, struct err *err)
{
	struct workers *workers = mem_zero(1, sizeof *workers);
	int failure = 0;

	(void)pthread_mutex_init(&workers->mutex, NULL);
	(void)pthread_cond_init(&workers->work, NULL);
	workers->end = &workers->first;
	workers->queue_max = queue_max;
	workers->threads = mem_zero(threads, sizeof *workers->threads);
	while (workers->thread_count < threads && failure == 0) {
		failure = pthread_create(&workers->threads[workers->thread_count], NULL, work, workers);
		if (failure == 0)
			workers->thread_count++;
	}
	if (failure != 0) {
		workers_destroy(workers);
		return err_errno(err, failure, "start %u worker threads", threads);
	}
	*out = workers;
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
		(void)pthread_join(workers->threads[i], NULL);
	(void)pthread_cond_destroy(&workers->work);
	(void)pthread_mutex_destroy(&workers->mutex);
	free(workers->threads);
	free(workers);
}

static bool submit(struct workers *workers, struct job *job, size_t queue_max)
{
	LOCKED(&workers->mutex);
	if (workers->queued >= queue_max)
		return false;
	job->next = NULL;
	*workers->end = job;
	workers->end = &job->next;
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
