/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/lingering.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/mem.h"
#include "server/http/loop.h"
#include "server/metrics.h"

/* How much is dropped before others have their turn. */
enum { EVENTS = 64, TICK_MS = 1000, TURN_BYTES = 1 << 20 };

/* Its thread's own, but while it is posted. */
struct leaver {
	struct list_link post;
	struct list_link link;
	int fd;
	int64_t dropped_bytes;
	int64_t began_s;
	int64_t active_s;
};

struct lingering {
	struct loop loop;
	void (*closed)(void *context);
	void *context;
	struct list leavers; /* from here on the thread's own */
	int64_t now_s;
};

/* Closing is not enough to leave the set: libmicrohttpd may have a hand on the socket for a moment yet. */
static void end(struct lingering *lingering, struct leaver *leaver)
{
	(void)loop_watch(&lingering->loop, EPOLL_CTL_DEL, leaver->fd, 0, leaver);
	list_remove(&leaver->link);
	(void)close(leaver->fd);
	free(leaver);
	lingering->closed(lingering->context);
}

/* Within the kernel, without a copy. */
static ssize_t drop(int fd)
{
	return recv(fd, NULL, TURN_BYTES, MSG_TRUNC | MSG_DONTWAIT);
}

static void serve(struct lingering *lingering, struct leaver *leaver)
{
	ssize_t dropped = drop(leaver->fd);

	if (dropped < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	leaver->active_s = lingering->now_s;
	leaver->dropped_bytes += dropped > 0 ? dropped : 0;
	if (dropped <= 0 || leaver->dropped_bytes >= LINGERING_BYTES_MAX)
		end(lingering, leaver);
}

static void take_posts(struct lingering *lingering)
{
	struct list posts;
	struct leaver *leaver;

	loop_collect(&lingering->loop, &posts);
	while ((leaver = LIST_TAKE(struct leaver, post, &posts))) {
		list_prepend(&lingering->leavers, &leaver->link);
		leaver->began_s = lingering->now_s;
		leaver->active_s = lingering->now_s;
		if (!loop_watch(&lingering->loop, EPOLL_CTL_ADD, leaver->fd, EPOLLIN, leaver))
			end(lingering, leaver);
	}
}

static bool is_over(const struct lingering *lingering, const struct leaver *leaver)
{
	return lingering->now_s - leaver->active_s > LINGERING_QUIET_S ||
	       lingering->now_s - leaver->began_s > LINGERING_S;
}

static void sweep(struct lingering *lingering)
{
	LIST_EACH (struct leaver, leaver, link, &lingering->leavers) {
		if (is_over(lingering, leaver))
			end(lingering, leaver);
	}
}

static void work(struct lingering *lingering)
{
	struct epoll_event events[EVENTS];
	bool woken;
	int count = loop_wait(
		&lingering->loop, events, EVENTS, list_is_empty(&lingering->leavers) ? -1 : TICK_MS, &woken);
	int64_t now_s = clock_monotonic_ms() / 1000;
	bool second_passed = now_s != lingering->now_s;

	lingering->now_s = now_s;
	for (int i = 0; i < count; i++)
		serve(lingering, events[i].data.ptr);
	if (second_passed)
		sweep(lingering);
	if (woken)
		take_posts(lingering);
}

static void *run(void *argument)
{
	struct lingering *lingering = argument;

	while (!loop_is_shut(&lingering->loop))
		work(lingering);
	take_posts(lingering);
	LIST_EACH (struct leaver, leaver, link, &lingering->leavers)
		end(lingering, leaver);
	return NULL;
}

bool lingering_open(void (*closed)(void *context), void *context, struct lingering **out, struct err *err)
{
	AUTO_LINGERING struct lingering *lingering = mem_zero(1, sizeof *lingering);
	const struct thread_plan plan = {
		.name = "lingering", .role = THREAD_LOOP, .run = run, .context = lingering};

	list_init(&lingering->leavers);
	lingering->closed = closed;
	lingering->context = context;
	if (!loop_open(&lingering->loop, err) || !loop_start(&lingering->loop, &plan, err))
		return false;
	*out = TAKE(lingering);
	return true;
}

bool lingering_take(struct lingering *lingering, int fd)
{
	struct leaver *leaver = mem_zero(1, sizeof *leaver);

	leaver->fd = fd;
	if (loop_offer(&lingering->loop, &leaver->post)) {
		metric_add(METRIC_LINGERED, 1);
		return true;
	}
	free(leaver);
	return false;
}

void lingering_stop(struct lingering *lingering)
{
	if (!lingering)
		return;
	loop_shut(&lingering->loop);
	loop_join(&lingering->loop);
}

void lingering_destroy(struct lingering *lingering)
{
	if (!lingering)
		return;
	loop_close(&lingering->loop);
	free(lingering);
}
