/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange/offload.h"

#include <fcntl.h>
#include <stddef.h>

#include "common/container.h"
#include "common/file.h"
#include "server/http/exchange/exchange.h"

static struct exchange *of_job(struct sender_job *job)
{
	return CONTAINER_OF(job, struct exchange, offload.job);
}

static bool begin(struct exchange *exchange, struct sender_pool *pool, const struct sender_job_ops *ops,
	int socket, bool *arrived)
{
	if (!suspension_prepare(&exchange->suspension, NULL))
		return false;
	exchange->offload.begun = true;
	exchange->offload.job = (struct sender_job){.ops = ops, .socket = socket};
	if (!sender_pool_submit(pool, &exchange->offload.job)) {
		suspension_cancel(&exchange->suspension);
		exchange->offload.begun = false;
		return false;
	}
	*arrived = !suspension_begin(&exchange->suspension);
	return true;
}

/* ---- a feed ---- */

static enum sending advance_feed(struct sender_job *job)
{
	struct exchange *exchange = of_job(job);

	return chunked_next(&exchange->offload.chunked, job->socket, &exchange->waiter);
}

static bool leave_feed(struct sender_job *job)
{
	struct exchange *exchange = of_job(job);

	return exchange->reply.feed_ops->leave(exchange->reply.feed, &exchange->waiter);
}

static void feed_ended(struct sender_job *job, enum sending ending)
{
	struct exchange *exchange = of_job(job);

	exchange->offload.ending = ending;
	exchange->sent_bytes = exchange->offload.chunked.offset;
	suspension_resume(&exchange->suspension);
}

static void wake(struct waiter *waiter)
{
	struct exchange *exchange = CONTAINER_OF(waiter, struct exchange, waiter);

	sender_pool_wake(&exchange->offload.job);
}

bool offload_feed(struct exchange *exchange, int socket, bool *arrived)
{
	static const struct sender_job_ops ops = {advance_feed, leave_feed, feed_ended};
	const struct reply *reply = &exchange->reply;

	exchange->offload.chunked = (struct chunked){.ops = reply->feed_ops, .feed = reply->feed};
	exchange->waiter.wake = wake;
	return begin(exchange, exchange->in_flight->growing_senders, &ops, socket, arrived);
}

/* ---- a file ---- */

/* The disk is given all of it to do; when the last byte is here, so is the rest, or soon. */
static enum sending warm(struct sender_job *job)
{
	const struct exchange *exchange = of_job(job);
	const struct reply *reply = &exchange->reply;
	int64_t end = reply->offset + reply->size;
	int64_t from = exchange->offload.offset;
	int64_t length = end - from < OFFLOAD_WARM_BYTES ? end - from : OFFLOAD_WARM_BYTES;
	struct err err;
	size_t got;
	char byte;

	(void)posix_fadvise(reply->fd, from, length, POSIX_FADV_WILLNEED);
	return file_read_at(reply->fd, &byte, 1, from, &got, &err) &&
			       file_read_at(reply->fd, &byte, 1, from + length - 1, &got, &err) && got == 1
		       ? SENDING_DONE
		       : SENDING_BROKEN;
}

static void warming_ended(struct sender_job *job, enum sending ending)
{
	struct exchange *exchange = of_job(job);

	exchange->offload.ending = ending;
	suspension_resume(&exchange->suspension);
}

bool offload_warming(struct exchange *exchange, int socket, int64_t offset, bool *arrived)
{
	static const struct sender_job_ops ops = {warm, NULL, warming_ended};

	exchange->offload.offset = offset;
	return begin(exchange, exchange->in_flight->cold_senders, &ops, socket, arrived);
}
