/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/queue.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"queue", RANK_QUEUE};

enum { CLIENTS_SHARE = 4, RETRY_AFTER_S = 30 };

struct queue {
	struct lock mutex; /* guards the line and its tickets */
	pthread_cond_t changed;
	struct list line; /* of tickets, in the order in which they came */
	int64_t inside;
	int64_t inside_unwanted; /* of them, those that no client waits for */

	int64_t places;
	int64_t patience_ms;
	void (*freed)(void *context); /* or NULL */
	void *freed_context;
};

struct queue *queue_create(int64_t places, int64_t patience_s)
{
	struct queue *queue = mem_zero(1, sizeof *queue);
	pthread_condattr_t attributes;

	lock_init(&queue->mutex, &lock_place);
	list_init(&queue->line);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&queue->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	queue->places = places;
	queue->patience_ms = 1000 * patience_s;
	return queue;
}

void queue_destroy(struct queue *queue)
{
	if (!queue)
		return;
	(void)pthread_cond_destroy(&queue->changed);
	lock_finish(&queue->mutex);
	free(queue);
}

void queue_join(struct queue *queue, struct ticket *ticket)
{
	LOCKED(&queue->mutex);

	list_append(&queue->line, &ticket->link);
}

void queue_join_aside(struct queue *queue, struct ticket *ticket)
{
	ticket->aside = true;
	queue_join(queue, ticket);
}

void queue_want(struct queue *queue, struct ticket *ticket)
{
	LOCKED(&queue->mutex);

	if (ticket->wanted_ms)
		return;
	ticket->wanted_ms = clock_monotonic_ms();
	if (ticket->inside)
		queue->inside_unwanted--;
	(void)pthread_cond_broadcast(&queue->changed);
}

/* The only place there is is not kept from anybody. */
static bool has_place(const struct queue *queue, bool wanted)
{
	int64_t kept = queue->places > 1 ? (queue->places + CLIENTS_SHARE - 1) / CLIENTS_SHARE : 0;

	lock_expect(&queue->mutex);
	return queue->inside < queue->places && (wanted || queue->inside_unwanted < queue->places - kept);
}

static bool is_first(const struct queue *queue, const struct ticket *ticket)
{
	bool passed = false;

	lock_expect(&queue->mutex);
	LIST_EACH (const struct ticket, other, link, &queue->line) {
		passed |= other == ticket;
		if (other == ticket || other->inside || other->aside)
			continue;
		if (!ticket->wanted_ms == !other->wanted_ms && !passed)
			return false;
		if (other->wanted_ms && !ticket->wanted_ms)
			return false;
	}
	return true;
}

/* Sleeps until something changes, or the patience of the ticket's clients ends; false where
 * it has. */
static bool sleep_on(struct queue *queue, const struct ticket *ticket)
{
	int64_t until_ms = ticket->wanted_ms + queue->patience_ms;

	lock_expect(&queue->mutex);
	if (ticket->wanted_ms)
		return lock_wait_until(&queue->mutex, &queue->changed, until_ms);
	lock_wait(&queue->mutex, &queue->changed);
	return true;
}

static bool may_enter(const struct queue *queue, const struct ticket *ticket)
{
	lock_expect(&queue->mutex);
	return has_place(queue, ticket->wanted_ms) && is_first(queue, ticket);
}

/* Whoever has stepped aside had a place: what he did with it is no wait. */
static void time_it(struct ticket *ticket)
{
	if (ticket->wanted_ms && !ticket->timed)
		metric_observe(HISTOGRAM_WAIT_FILL, (clock_monotonic_ms() - ticket->wanted_ms) * 1000);
	ticket->timed = true;
}

static void enter(struct queue *queue, struct ticket *ticket)
{
	lock_expect(&queue->mutex);
	INVARIANT(!ticket->inside);
	ticket->aside = false;
	ticket->inside = true;
	queue->inside++;
	queue->inside_unwanted += !ticket->wanted_ms;
	time_it(ticket);
}

static bool refuse(const struct queue *queue, struct err *err)
{
	lock_expect(&queue->mutex);
	(void)err_set(err, ERR_BUSY,
		"it has waited %" PRId64 " seconds for its turn, since %" PRId64
		" others are being fetched; try again in a while",
		queue->patience_ms / 1000, queue->inside);
	err->retry_after_s = RETRY_AFTER_S;
	return false;
}

bool queue_refuse(struct queue *queue, struct err *err)
{
	LOCKED(&queue->mutex);

	return refuse(queue, err);
}

bool queue_has_place(struct queue *queue, bool wanted)
{
	LOCKED(&queue->mutex);

	return has_place(queue, wanted);
}

int64_t queue_patience_ms(struct queue *queue, const struct ticket *ticket)
{
	LOCKED(&queue->mutex);

	return ticket->wanted_ms ? ticket->wanted_ms + queue->patience_ms : INT64_MAX;
}

static void tell_freed(const struct queue *queue)
{
	if (queue->freed)
		queue->freed(queue->freed_context);
}

static bool await_place(struct queue *queue, struct ticket *ticket, const _Atomic bool *stop, struct err *err)
{
	LOCKED(&queue->mutex);

	if (ticket->inside)
		return true;
	ticket->aside = false;
	while (!atomic_load(stop) && !may_enter(queue, ticket)) {
		if (!sleep_on(queue, ticket))
			return refuse(queue, err);
	}
	enter(queue, ticket);
	/* There may be a place for the next one, too. */
	(void)pthread_cond_broadcast(&queue->changed);
	return true;
}

/* Who stood before others stands no more. */
bool queue_await(struct queue *queue, struct ticket *ticket, const _Atomic bool *stop, struct err *err)
{
	if (!await_place(queue, ticket, stop, err))
		return false;
	tell_freed(queue);
	return true;
}

static void give_back(struct queue *queue, struct ticket *ticket)
{
	lock_expect(&queue->mutex);
	if (ticket->inside) {
		queue->inside--;
		queue->inside_unwanted -= !ticket->wanted_ms;
	}
	INVARIANT(queue->inside_unwanted >= 0 && queue->inside_unwanted <= queue->inside);
	ticket->inside = false;
	(void)pthread_cond_broadcast(&queue->changed);
}

bool queue_try(struct queue *queue, struct ticket *ticket)
{
	LOCKED(&queue->mutex);

	if (!may_enter(queue, ticket))
		return false;
	enter(queue, ticket);
	return true;
}

void queue_untry(struct queue *queue, struct ticket *ticket)
{
	LOCKED(&queue->mutex);

	give_back(queue, ticket);
	ticket->aside = true;
}

void queue_set_freed(struct queue *queue, void (*freed)(void *context), void *context)
{
	queue->freed = freed;
	queue->freed_context = context;
}

/* Its clients' patience begins anew: they have waited for something that has come since. */
static void step_aside(struct queue *queue, struct ticket *ticket)
{
	LOCKED(&queue->mutex);

	give_back(queue, ticket);
	ticket->aside = true;
	if (ticket->wanted_ms)
		ticket->wanted_ms = clock_monotonic_ms();
}

void queue_step_aside(struct queue *queue, struct ticket *ticket)
{
	step_aside(queue, ticket);
	tell_freed(queue);
}

static void leave(struct queue *queue, struct ticket *ticket)
{
	LOCKED(&queue->mutex);

	INVARIANT(list_holds(&ticket->link));
	list_remove(&ticket->link);
	give_back(queue, ticket);
}

void queue_leave(struct queue *queue, struct ticket *ticket)
{
	leave(queue, ticket);
	tell_freed(queue);
}

void queue_wake(struct queue *queue)
{
	LOCKED(&queue->mutex);

	(void)pthread_cond_broadcast(&queue->changed);
}
