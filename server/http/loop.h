/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread around an epoll set, with an inbox for what other threads give it. What it does in its rounds is
 * its owner's. */
#ifndef SERVER_HTTP_LOOP_H
#define SERVER_HTTP_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "common/err.h"
#include "common/list.h"
#include "common/lock.h"
#include "common/thread.h"

/* Zeroed: not open. */
struct loop {
	struct lock mutex; /* guards posts, and shut against offers */
	struct list posts;
	_Atomic bool shut;
	bool open;
	bool running;
	pthread_t thread;
	int epoll_fd;
	int wake_fd;
};

bool loop_open(struct loop *loop, struct err *err);

/* Starts the thread. */
bool loop_start(struct loop *loop, const struct thread_plan *plan, struct err *err);

/* The loop's thread: changes what is waited for (EPOLL_CTL_…); the tag comes with the events and is not NULL.
 * False: the system lacks memory, which is counted and logged; no event will come, so the connection has to
 * end. */
bool loop_watch(const struct loop *loop, int operation, int fd, uint32_t events, void *tag);

/* The loop's thread: waits for events, a post, loop_wake() or the time. *woken: one of the middle two. */
int loop_wait(const struct loop *loop, struct epoll_event *events, int max, int timeout_ms, bool *woken);

/* The loop's thread: takes what was posted, in the order in which it came. The list need not be initialized.
 */
void loop_collect(struct loop *loop, struct list *out);

/* Stands at the beginning of what only the loop's thread may call, once it has waited for the first time: in
 * builds that check, others abort. */
void loop_expect(const struct loop *loop);

/* Gives the thread something, from any thread; an offer is refused (false) once the loop is shut. */
void loop_post(struct loop *loop, struct list_link *post);
bool loop_offer(struct loop *loop, struct list_link *post);
void loop_wake(const struct loop *loop);

/* Tells the thread to come to its end; what was offered before is there to be collected. */
void loop_shut(struct loop *loop);
bool loop_is_shut(const struct loop *loop);

/* Waits for the thread to end. Then loop_close; both take one that is not open. */
void loop_join(struct loop *loop);
void loop_close(struct loop *loop);

#endif
