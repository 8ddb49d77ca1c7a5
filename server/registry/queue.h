/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose turn it is where only so many may fill at once: first what clients wait for, then what was only
 * ordered in advance, each in the order in which it came. A quarter of the places is kept for clients. */
#ifndef SERVER_REGISTRY_QUEUE_H
#define SERVER_REGISTRY_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/list.h"
#include "common/own.h"

struct queue;

/* patience_s: how long anything that clients wait for may stand in the queue. destroy takes NULL; nobody may
 * be in it then. */
struct queue *queue_create(int64_t places, int64_t patience_s);
void queue_destroy(struct queue *queue);
AUTO_CLEANER(own_queue, struct queue *, queue_destroy)
#define AUTO_QUEUE AUTO(own_queue)

/* Somebody in the queue, from queue_join() to queue_leave(); zeroed before. Its fields are the queue's. */
struct ticket {
	struct list_link link;
	bool inside;       /* it has a place */
	bool aside;        /* it waits for something else */
	bool timed;        /* its wait for its first place has been counted */
	int64_t wanted_ms; /* since when a client waits for it; 0: none does */
};

/* Takes the last place of the line. Does not block. */
void queue_join(struct queue *queue, struct ticket *ticket);

/* A client waits for it from now on; whatever state it is in. */
void queue_want(struct queue *queue, struct ticket *ticket);

/* Blocks until it has a place: at once where it has one. It is its turn, or *stop is set and queue_wake() was
 * called: both are true. False with ERR_BUSY and retry_after_s where a client has waited too long. */
bool queue_await(struct queue *queue, struct ticket *ticket, const _Atomic bool *stop, struct err *err);

/* For whoever waits elsewhere, in nobody's way (he joins as if he had stepped aside): whether there is a
 * place for such a one; takes it, where it is its turn; and gives it back at once. None of them waits. */
void queue_join_aside(struct queue *queue, struct ticket *ticket);
bool queue_has_place(struct queue *queue, bool wanted);
bool queue_try(struct queue *queue, struct ticket *ticket);
void queue_untry(struct queue *queue, struct ticket *ticket);

/* When its clients' patience ends; INT64_MAX where none wait. */
int64_t queue_patience_ms(struct queue *queue, const struct ticket *ticket);

/* Tells that their patience has ended: ERR_BUSY. Always false. */
bool queue_refuse(struct queue *queue, struct err *err);

/* To be told of places that become free, without a lock of the queue. Before it is used. */
void queue_set_freed(struct queue *queue, void (*freed)(void *context), void *context);

/* Gives its place to others while it waits for something else; queue_await() takes one again, before all that
 * came later. */
void queue_step_aside(struct queue *queue, struct ticket *ticket);

/* Gives up its place, or its wait for one. */
void queue_leave(struct queue *queue, struct ticket *ticket);

/* Has all that wait look at their stop flags. */
void queue_wake(struct queue *queue);

#endif
