/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "common/invariant.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/own.h"
#include "server/metrics.h"
#include "common/thread.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"loop", RANK_LOOP};

/* Whose thread this is. */
static _Thread_local const struct loop *own_loop;

bool loop_open(struct loop *loop, struct err *err)
{
	struct epoll_event event = {.events = EPOLLIN};

	lock_init(&loop->mutex, &lock_place);
	list_init(&loop->posts);
	loop->open = true;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) < 0)
		return err_errno(err, errno, "make an epoll set for connections");
	return true;
}

bool loop_start(struct loop *loop, const struct thread_plan *plan, struct err *err)
{
	loop->running = thread_start(&loop->thread, plan, err);
	return loop->running;
}

bool loop_watch(const struct loop *loop, int operation, int fd, uint32_t events, void *tag)
{
	struct epoll_event event = {.events = events, .data.ptr = tag};
	struct err err;

	if (epoll_ctl(loop->epoll_fd, operation, fd, &event) == 0)
		return true;
	(void)err_errno(&err, errno, "watch a connection");
	metric_add(METRIC_UNWATCHED, 1);
	log_event(LOG_LEVEL_WARN, "connection lost", "error", err.text, NULL);
	return false;
}

int loop_wait(const struct loop *loop, struct epoll_event *events, int max, int timeout_ms, bool *woken)
{
	int count = epoll_wait(loop->epoll_fd, events, max, timeout_ms);
	eventfd_t ignored;

	own_loop = loop;
	*woken = false;
	for (int i = 0; i < count && !*woken; i++) {
		if (events[i].data.ptr)
			continue;
		(void)eventfd_read(loop->wake_fd, &ignored);
		events[i] = events[--count];
		*woken = true;
	}
	return count;
}

void loop_expect(const struct loop *loop)
{
	(void)loop;
	INVARIANT(own_loop == loop);
}

void loop_collect(struct loop *loop, struct list *out)
{
	LOCKED(&loop->mutex);

	list_init(out);
	list_move(&loop->posts, out);
}

/* Under the mutex, the wake too: once the thread has the post, nobody is here any more. Whoever posts first
 * wakes; what comes until the thread has looked is found along with it. */
static void put(struct loop *loop, struct list_link *post)
{
	bool is_first = list_is_empty(&loop->posts);

	list_append(&loop->posts, post);
	if (is_first)
		loop_wake(loop);
}

void loop_post(struct loop *loop, struct list_link *post)
{
	LOCKED(&loop->mutex);

	put(loop, post);
}

bool loop_offer(struct loop *loop, struct list_link *post)
{
	LOCKED(&loop->mutex);

	if (loop->shut)
		return false;
	put(loop, post);
	return true;
}

void loop_wake(const struct loop *loop)
{
	(void)eventfd_write(loop->wake_fd, 1);
}

static void mark_shut(struct loop *loop)
{
	LOCKED(&loop->mutex);

	loop->shut = true;
}

void loop_shut(struct loop *loop)
{
	mark_shut(loop);
	loop_wake(loop);
}

bool loop_is_shut(const struct loop *loop)
{
	return atomic_load_explicit(&loop->shut, memory_order_relaxed);
}

void loop_join(struct loop *loop)
{
	if (loop->running)
		thread_join(loop->thread);
	loop->running = false;
}

void loop_close(struct loop *loop)
{
	if (!loop->open)
		return;
	loop_join(loop);
	own_close(&loop->epoll_fd);
	own_close(&loop->wake_fd);
	lock_finish(&loop->mutex);
	*loop = (struct loop){0};
}
