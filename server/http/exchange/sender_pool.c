/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange/sender_pool.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "server/metrics.h"

enum { EVENTS = 64, TICK_MS = 1000, STOP_TICK_MS = 20 };

struct sender {
	struct loop loop;
	struct sender_pool *pool;
	struct list jobs; /* from here on the thread's own */
	int64_t now_s;
};

struct sender_pool {
	int niceness;
	unsigned idle_timeout_s;
	unsigned sender_count;
	_Atomic unsigned next; /* the sender that is given the next job */
	struct sender *senders;
};

/* ---- one job ---- */

static void end(struct sender *sender, struct sender_job *job, enum sending ending)
{
	list_remove(&job->link);
	(void)loop_watch(&sender->loop, EPOLL_CTL_DEL, job->socket, 0, job);
	job->ops->ended(job, ending);
}

/* The socket stays in the set, so that what is starved learns of a client that resets. */
static bool watch(struct sender *sender, struct sender_job *job, bool watched)
{
	if (job->watched == watched)
		return true;
	job->watched = watched;
	return loop_watch(&sender->loop, EPOLL_CTL_MOD, job->socket,
		!watched        ? 0
		: job->incoming ? EPOLLIN | EPOLLRDHUP
				: EPOLLOUT,
		job);
}

/* Nothing can be ended while its waiter may still call. */
static bool is_free(struct sender_job *job)
{
	return job->state != SENDING_STARVED || job->ops->leave(job);
}

static void end_if_free(struct sender *sender, struct sender_job *job, enum sending ending)
{
	if (is_free(job))
		end(sender, job, ending);
}

/* Once starved, another thread may wake it at any moment, but only this one ends it. */
static void advance(struct sender *sender, struct sender_job *job)
{
	enum sending state = job->ops->advance(job);

	job->state = state;
	job->active_s = sender->now_s;
	if (state != SENDING_FULL && state != SENDING_STARVED)
		end(sender, job, state);
	else if (!watch(sender, job, state == SENDING_FULL))
		end_if_free(sender, job, SENDING_BROKEN);
}

/* ---- a sender ---- */

static void admit(struct sender *sender, struct sender_job *job)
{
	job->sender = sender;
	list_prepend(&sender->jobs, &job->link);
	job->active_s = sender->now_s;
	if (!loop_watch(&sender->loop, EPOLL_CTL_ADD, job->socket, 0, job))
		end(sender, job, SENDING_BROKEN);
	else
		advance(sender, job);
}

/* What was submitted, or starved and is woken. */
static void take_posts(struct sender *sender)
{
	struct list posts;
	struct sender_job *job;

	loop_collect(&sender->loop, &posts);
	while ((job = LIST_TAKE(struct sender_job, post, &posts))) {
		if (job->sender)
			advance(sender, job);
		else
			admit(sender, job);
	}
}

static void serve(struct sender *sender, struct sender_job *job)
{
	if (job->state == SENDING_FULL)
		advance(sender, job);
	else
		end_if_free(sender, job, SENDING_GONE);
}

static bool is_late(const struct sender *sender, const struct sender_job *job)
{
	unsigned idle_timeout_s = sender->pool->idle_timeout_s;

	return idle_timeout_s && job->state == SENDING_FULL &&
	       sender->now_s - job->active_s > (int64_t)idle_timeout_s;
}

static void end_late(struct sender *sender)
{
	LIST_EACH (struct sender_job, job, link, &sender->jobs) {
		if (is_late(sender, job))
			end(sender, job, SENDING_LATE);
	}
}

static void end_all_free(struct sender *sender)
{
	LIST_EACH (struct sender_job, job, link, &sender->jobs)
		end_if_free(sender, job, SENDING_STOPPED);
}

static void work(struct sender *sender, int timeout_ms)
{
	struct epoll_event events[EVENTS];
	bool woken;
	int count = loop_wait(&sender->loop, events, EVENTS, timeout_ms, &woken);
	int64_t now_s = clock_monotonic_ms() / 1000;
	bool second_passed = now_s != sender->now_s;

	sender->now_s = now_s;
	for (int i = 0; i < count; i++)
		serve(sender, events[i].data.ptr);
	if (second_passed)
		end_late(sender);
	if (woken)
		take_posts(sender);
}

static void *run(void *argument)
{
	struct sender *sender = argument;

	while (!loop_is_shut(&sender->loop))
		work(sender, TICK_MS);
	/* What was offered last is in the inbox; what is being woken comes there. */
	take_posts(sender);
	for (end_all_free(sender); !list_is_empty(&sender->jobs); end_all_free(sender))
		work(sender, STOP_TICK_MS);
	return NULL;
}

/* ---- all of them ---- */

static bool open_sender(struct sender_pool *pool, struct sender *sender, struct err *err)
{
	const struct thread_plan plan = {.name = "sender",
		.role = THREAD_LOOP,
		.niceness = pool->niceness,
		.run = run,
		.context = sender};

	sender->pool = pool;
	list_init(&sender->jobs);
	pool->sender_count++;
	return loop_open(&sender->loop, err) && loop_start(&sender->loop, &plan, err);
}

bool sender_pool_open(
	unsigned senders, int niceness, unsigned idle_timeout_s, struct sender_pool **out, struct err *err)
{
	AUTO_SENDER_POOL struct sender_pool *pool = mem_zero(1, sizeof *pool);
	bool opened = true;

	pool->niceness = niceness;
	pool->idle_timeout_s = idle_timeout_s;
	pool->senders = mem_zero(senders, sizeof *pool->senders);
	for (unsigned i = 0; i < senders && opened; i++)
		opened = open_sender(pool, &pool->senders[i], err);
	if (!opened)
		return false;
	*out = TAKE(pool);
	return true;
}

bool sender_pool_submit(struct sender_pool *pool, struct sender_job *job)
{
	unsigned next = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);

	job->sender = NULL;
	job->watched = false;
	if (!loop_offer(&pool->senders[next % pool->sender_count].loop, &job->post))
		return false;
	metric_add(METRIC_SENDER_POOL, 1);
	return true;
}

void sender_pool_wake(struct sender_job *job)
{
	loop_post(&job->sender->loop, &job->post);
}

void sender_pool_stop(struct sender_pool *pool)
{
	if (!pool)
		return;
	for (unsigned i = 0; i < pool->sender_count; i++)
		loop_shut(&pool->senders[i].loop);
	for (unsigned i = 0; i < pool->sender_count; i++)
		loop_join(&pool->senders[i].loop);
}

void sender_pool_destroy(struct sender_pool *pool)
{
	if (!pool)
		return;
	sender_pool_stop(pool);
	for (unsigned i = 0; i < pool->sender_count; i++)
		loop_close(&pool->senders[i].loop);
	free(pool->senders);
	free(pool);
}
