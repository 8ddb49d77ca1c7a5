/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/farewell.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "server/http/loop.h"
#include "server/metrics.h"

/* How much is dropped before others have their turn. */
enum { EVENTS = 64, TICK_MS = 1000, TURN_BYTES = 1 << 20 };

/* Its thread's own, but while it is posted. */
struct leaver {
	struct post post;
	struct leaver *next;
	struct leaver *previous;
	int fd;
	int64_t dropped_bytes;
	int64_t began_s;
	int64_t active_s;
};

struct farewell {
	struct loop loop;
	void (*closed)(void *context);
	void *context;
	struct leaver *first; /* from here on the thread's own */
	int64_t now_s;
};

static void link_in(struct farewell *farewell, struct leaver *leaver)
{
	leaver->next = farewell->first;
	if (farewell->first)
		farewell->first->previous = leaver;
	farewell->first = leaver;
}

/* Closing is not enough to leave the set: libmicrohttpd may have a hand on the socket for a moment yet. */
static void end(struct farewell *farewell, struct leaver *leaver)
{
	(void)loop_watch(&farewell->loop, EPOLL_CTL_DEL, leaver->fd, 0, leaver);
	*(leaver->previous ? &leaver->previous->next : &farewell->first) = leaver->next;
	if (leaver->next)
		leaver->next->previous = leaver->previous;
	(void)close(leaver->fd);
	free(leaver);
	farewell->closed(farewell->context);
}

/* Within the kernel, without a copy. */
static ssize_t drop(int fd)
{
	return recv(fd, NULL, TURN_BYTES, MSG_TRUNC | MSG_DONTWAIT);
}

static void serve(struct farewell *farewell, struct leaver *leaver)
{
	ssize_t dropped = drop(leaver->fd);

	if (dropped < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	leaver->active_s = farewell->now_s;
	leaver->dropped_bytes += dropped > 0 ? dropped : 0;
	if (dropped <= 0 || leaver->dropped_bytes >= FAREWELL_BYTES_MAX)
		end(farewell, leaver);
}

static void take_posts(struct farewell *farewell)
{
	struct post *next;

	for (struct post *post = loop_collect(&farewell->loop); post; post = next) {
		struct leaver *leaver = (struct leaver *)((char *)post - offsetof(struct leaver, post));

		next = post->next;
		link_in(farewell, leaver);
		leaver->began_s = farewell->now_s;
		leaver->active_s = farewell->now_s;
		if (!loop_watch(&farewell->loop, EPOLL_CTL_ADD, leaver->fd, EPOLLIN, leaver))
			end(farewell, leaver);
	}
}

static bool is_over(const struct farewell *farewell, const struct leaver *leaver)
{
	return farewell->now_s - leaver->active_s > FAREWELL_QUIET_S ||
	       farewell->now_s - leaver->began_s > FAREWELL_S;
}

static void sweep(struct farewell *farewell)
{
	struct leaver *next;

	for (struct leaver *leaver = farewell->first; leaver; leaver = next) {
		next = leaver->next;
		if (is_over(farewell, leaver))
			end(farewell, leaver);
	}
}

static void work(struct farewell *farewell)
{
	struct epoll_event events[EVENTS];
	bool woken;
	int count = loop_wait(&farewell->loop, events, EVENTS, farewell->first ? TICK_MS : -1, &woken);
	int64_t now_s = clock_monotonic_ms() / 1000;
	bool second_passed = now_s != farewell->now_s;

	farewell->now_s = now_s;
	for (int i = 0; i < count; i++)
		serve(farewell, events[i].data.ptr);
	if (second_passed)
		sweep(farewell);
	if (woken)
		take_posts(farewell);
}

static void *run(void *argument)
{
	struct farewell *farewell = argument;

	while (!loop_is_shut(&farewell->loop))
		work(farewell);
	take_posts(farewell);
	while (farewell->first)
		end(farewell, farewell->first);
	return NULL;
}

bool farewell_open(void (*closed)(void *context), void *context, struct farewell **out, struct err *err)
{
	struct farewell *farewell = mem_zero(1, sizeof *farewell);
	const struct thread_plan plan = {
		.name = "farewell", .role = THREAD_LOOP, .run = run, .context = farewell};

	farewell->closed = closed;
	farewell->context = context;
	if (!loop_open(&farewell->loop, err) || !loop_start(&farewell->loop, &plan, err)) {
		farewell_destroy(farewell);
		return false;
	}
	*out = farewell;
	return true;
}

bool farewell_take(struct farewell *farewell, int fd)
{
	struct leaver *leaver = mem_zero(1, sizeof *leaver);

	leaver->fd = fd;
	if (loop_offer(&farewell->loop, &leaver->post)) {
		metric_add(METRIC_LINGERED, 1);
		return true;
	}
	free(leaver);
	return false;
}

void farewell_stop(struct farewell *farewell)
{
	if (!farewell)
		return;
	loop_shut(&farewell->loop);
	loop_join(&farewell->loop);
}

void farewell_destroy(struct farewell *farewell)
{
	if (!farewell)
		return;
	loop_close(&farewell->loop);
	free(farewell);
}
