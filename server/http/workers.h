/* SPDX-License-Identifier: Apache-2.0
 *
 * A fixed number of threads and a bounded queue of jobs for them. */
#ifndef SERVER_HTTP_WORKERS_H
#define SERVER_HTTP_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/list.h"
#include "common/own.h"

struct job {
	void (*run)(struct job *job);
	struct list_link link; /* in the queue */
	int64_t queued_us;     /* the queue's */
};

struct workers;

/* Starts the threads, each under this name. destroy runs what is queued, then waits for them; takes NULL. */
bool workers_create(
	const char *name, unsigned threads, size_t queue_max, struct workers **out, struct err *err);
void workers_destroy(struct workers *workers);
AUTO_CLEANER(own_workers, struct workers *, workers_destroy)
#define AUTO_WORKERS AUTO(own_workers)

/* Queues a job; false if the queue is full. */
bool workers_submit(struct workers *workers, struct job *job);

/* As submit, but never refuses: for work on a request that was admitted before. */
void workers_submit_always(struct workers *workers, struct job *job);

#endif
