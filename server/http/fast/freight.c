/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/freight.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "server/metrics.h"

enum { EVENTS = 64, TICK_MS = 1000, STOP_TICK_MS = 20 };

struct freight_lane {
	struct loop loop;
	struct freight *freight;
	struct cargo *first; /* from here on the thread's own */
	int64_t now_s;
};

struct freight {
	int niceness;
	unsigned idle_timeout_s;
	unsigned lane_count;
	_Atomic unsigned next; /* the lane that is given the next cargo */
	struct freight_lane *lanes;
};

/* ---- one cargo ---- */

static void link_in(struct freight_lane *lane, struct cargo *cargo)
{
	cargo->previous = NULL;
	cargo->next = lane->first;
	if (lane->first)
		lane->first->previous = cargo;
	lane->first = cargo;
}

static void link_out(struct freight_lane *lane, struct cargo *cargo)
{
	*(cargo->previous ? &cargo->previous->next : &lane->first) = cargo->next;
	if (cargo->next)
		cargo->next->previous = cargo->previous;
}

static void unload(struct freight_lane *lane, struct cargo *cargo, enum sending ending)
{
	link_out(lane, cargo);
	(void)loop_watch(&lane->loop, EPOLL_CTL_DEL, cargo->socket, 0, cargo);
	cargo->ops->unload(cargo, ending);
}

/* The socket stays in the set, so that what is starved learns of a client that resets. */
static bool watch(struct freight_lane *lane, struct cargo *cargo, bool watched)
{
	if (cargo->watched == watched)
		return true;
	cargo->watched = watched;
	return loop_watch(&lane->loop, EPOLL_CTL_MOD, cargo->socket, watched ? EPOLLOUT : 0, cargo);
}

/* Nothing can be unloaded while its waiter may still call. */
static bool is_free(struct cargo *cargo)
{
	return cargo->state != SENDING_STARVED || cargo->ops->leave(cargo);
}

static void unload_if_free(struct freight_lane *lane, struct cargo *cargo, enum sending ending)
{
	if (is_free(cargo))
		unload(lane, cargo, ending);
}

/* Once starved, another thread may wake it at any moment, but only this one unloads. */
static void move(struct freight_lane *lane, struct cargo *cargo)
{
	enum sending state = cargo->ops->move(cargo);

	cargo->state = state;
	cargo->active_s = lane->now_s;
	if (state != SENDING_FULL && state != SENDING_STARVED)
		unload(lane, cargo, state);
	else if (!watch(lane, cargo, state == SENDING_FULL))
		unload_if_free(lane, cargo, SENDING_BROKEN);
}

/* ---- a lane ---- */

static struct cargo *of_post(struct post *post)
{
	return (struct cargo *)((char *)post - offsetof(struct cargo, post));
}

static void admit(struct freight_lane *lane, struct cargo *cargo)
{
	cargo->lane = lane;
	link_in(lane, cargo);
	cargo->active_s = lane->now_s;
	if (!loop_watch(&lane->loop, EPOLL_CTL_ADD, cargo->socket, 0, cargo))
		unload(lane, cargo, SENDING_BROKEN);
	else
		move(lane, cargo);
}

/* What was loaded, or starved and is woken. */
static void take_posts(struct freight_lane *lane)
{
	struct post *next;

	for (struct post *post = loop_collect(&lane->loop); post; post = next) {
		struct cargo *cargo = of_post(post);

		next = post->next;
		if (cargo->lane)
			move(lane, cargo);
		else
			admit(lane, cargo);
	}
}

static void serve(struct freight_lane *lane, struct cargo *cargo)
{
	if (cargo->state == SENDING_FULL)
		move(lane, cargo);
	else
		unload_if_free(lane, cargo, SENDING_GONE);
}

static bool is_late(const struct freight_lane *lane, const struct cargo *cargo)
{
	unsigned idle_timeout_s = lane->freight->idle_timeout_s;

	return idle_timeout_s && cargo->state == SENDING_FULL &&
	       lane->now_s - cargo->active_s > (int64_t)idle_timeout_s;
}

static void unload_late(struct freight_lane *lane)
{
	struct cargo *next;

	for (struct cargo *cargo = lane->first; cargo; cargo = next) {
		next = cargo->next;
		if (is_late(lane, cargo))
			unload(lane, cargo, SENDING_LATE);
	}
}

static void unload_all_free(struct freight_lane *lane)
{
	struct cargo *next;

	for (struct cargo *cargo = lane->first; cargo; cargo = next) {
		next = cargo->next;
		unload_if_free(lane, cargo, SENDING_STOPPED);
	}
}

static void work(struct freight_lane *lane, int timeout_ms)
{
	struct epoll_event events[EVENTS];
	bool woken;
	int count = loop_wait(&lane->loop, events, EVENTS, timeout_ms, &woken);
	int64_t now_s = clock_monotonic_ms() / 1000;
	bool second_passed = now_s != lane->now_s;

	lane->now_s = now_s;
	for (int i = 0; i < count; i++)
		serve(lane, events[i].data.ptr);
	if (second_passed)
		unload_late(lane);
	if (woken)
		take_posts(lane);
}

static void *run(void *argument)
{
	struct freight_lane *lane = argument;

	while (!loop_is_shut(&lane->loop))
		work(lane, TICK_MS);
	/* What was offered last is in the inbox; what is being woken comes there. */
	take_posts(lane);
	for (unload_all_free(lane); lane->first; unload_all_free(lane))
		work(lane, STOP_TICK_MS);
	return NULL;
}

/* ---- all of them ---- */

static bool open_lane(struct freight *freight, struct freight_lane *lane, struct err *err)
{
	const struct thread_plan plan = {.name = "sender",
		.role = THREAD_LOOP,
		.niceness = freight->niceness,
		.run = run,
		.context = lane};

	lane->freight = freight;
	freight->lane_count++;
	return loop_open(&lane->loop, err) && loop_start(&lane->loop, &plan, err);
}

bool freight_open(
	unsigned lanes, int niceness, unsigned idle_timeout_s, struct freight **out, struct err *err)
{
	struct freight *freight = mem_zero(1, sizeof *freight);
	bool opened = true;

	freight->niceness = niceness;
	freight->idle_timeout_s = idle_timeout_s;
	freight->lanes = mem_zero(lanes, sizeof *freight->lanes);
	for (unsigned i = 0; i < lanes && opened; i++)
		opened = open_lane(freight, &freight->lanes[i], err);
	if (!opened) {
		freight_stop(freight);
		freight_destroy(freight);
		return false;
	}
	*out = freight;
	return true;
}

bool freight_load(struct freight *freight, struct cargo *cargo)
{
	unsigned next = atomic_fetch_add_explicit(&freight->next, 1, memory_order_relaxed);

	cargo->lane = NULL;
	cargo->watched = false;
	if (!loop_offer(&freight->lanes[next % freight->lane_count].loop, &cargo->post))
		return false;
	metric_add(METRIC_FREIGHT, 1);
	return true;
}

void freight_wake(struct cargo *cargo)
{
	loop_post(&cargo->lane->loop, &cargo->post);
}

void freight_stop(struct freight *freight)
{
	if (!freight)
		return;
	for (unsigned i = 0; i < freight->lane_count; i++)
		loop_shut(&freight->lanes[i].loop);
	for (unsigned i = 0; i < freight->lane_count; i++)
		loop_join(&freight->lanes[i].loop);
}

void freight_destroy(struct freight *freight)
{
	if (!freight)
		return;
	for (unsigned i = 0; i < freight->lane_count; i++)
		loop_close(&freight->lanes[i].loop);
	free(freight->lanes);
	free(freight);
}
