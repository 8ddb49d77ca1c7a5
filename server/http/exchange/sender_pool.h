/* SPDX-License-Identifier: Apache-2.0
 *
 * The sender pool: threads that send bodies that may have to wait: for the disk, where a file is not in
 * memory, or for more bytes, where it still grows. They also receive bodies that come in chunks. The fast
 * path and libmicrohttpd lend them sockets for one body. So no other request waits for it; bodies of one
 * thread do. Of a file that libmicrohttpd sends itself, they only bring pieces into memory. */
#ifndef SERVER_HTTP_EXCHANGE_SENDER_POOL_H
#define SERVER_HTTP_EXCHANGE_SENDER_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/list.h"
#include "common/own.h"
#include "server/http/loop.h"
#include "server/http/sending.h"

struct sender_pool;
struct sender_job;

/* On one of the pool's threads. */
struct sender_job_ops {
	/* Sends as much as the socket takes, or does what there is to do; may wait for the disk.
	 * SENDING_STARVED: sender_pool_wake will be called, or has been. */
	enum sending (*advance)(struct sender_job *job);
	/* Takes back what would call sender_pool_wake; false if that is just being called. NULL: never
	 * starved.
	 */
	bool (*leave)(struct sender_job *job);
	/* It has ended so; the job and its socket are the owner's again. */
	void (*ended)(struct sender_job *job, enum sending ending);
};

/* One body on its way; zeroed, then ops and socket set, by its owner. */
struct sender_job {
	const struct sender_job_ops *ops;
	int socket;
	bool incoming; /* a body that comes: SENDING_FULL waits for more of it */

	struct list_link post; /* from here on the pool's */
	struct sender *sender;
	struct list_link link; /* among its sender's */
	enum sending state;
	bool watched; /* its sender waits for its socket */
	int64_t active_s;
};

/* This many threads, of this niceness (setpriority); a body that waits for its socket for longer than
 * idle_timeout_s (0: never) has ended. */
bool sender_pool_open(
	unsigned senders, int niceness, unsigned idle_timeout_s, struct sender_pool **out, struct err *err);

/* Takes the job until it is ended. False: the pool is closing. From any thread. */
bool sender_pool_submit(struct sender_pool *pool, struct sender_job *job);

/* There is more, or an end, for a job that was starved. From any thread; the job may be gone thereafter.
 */
void sender_pool_wake(struct sender_job *job);

/* Ends all that is left (SENDING_STOPPED). Then nothing can be submitted, until sender_pool_destroy. Takes
 * NULL.
 */
void sender_pool_stop(struct sender_pool *pool);
void sender_pool_destroy(struct sender_pool *pool);
AUTO_CLEANER(own_sender_pool, struct sender_pool *, sender_pool_destroy)
#define AUTO_SENDER_POOL AUTO(own_sender_pool)

#endif
