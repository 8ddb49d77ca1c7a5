/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "common/invariant.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"acceptor", RANK_ACCEPTOR};

enum { SHORTAGE_PAUSE_MS = 100 };

struct acceptor {
	struct lock mutex; /* guards open */
	unsigned open;
	pthread_t thread;
	bool running; /* the thread; of its owner */
	int listen_fd;
	int wake_fd;
	unsigned max_connections;
	_Atomic bool refusing; /* apart from the thread's own below, which compilers read as one word */
	struct acceptor_exits exits;
	bool asked;    /* others to make room; the thread's own */
	bool short_of; /* descriptors or memory; the thread's own */
};

static bool is_full(struct acceptor *acceptor)
{
	LOCKED(&acceptor->mutex);

	return acceptor->open >= acceptor->max_connections;
}

static void wake(const struct acceptor *acceptor)
{
	(void)eventfd_write(acceptor->wake_fd, 1);
}

static void count_in(struct acceptor *acceptor)
{
	LOCKED(&acceptor->mutex);

	acceptor->open++;
	metric_add(METRIC_CONNECTIONS, 1);
}

static void deliver(
	struct acceptor *acceptor, int fd, const struct sockaddr_storage *address, socklen_t length)
{
	count_in(acceptor);
	acceptor->exits.deliver(acceptor->exits.context, fd, address, length);
}

/* Who knocks meanwhile stays in the kernel's queue. Told once, until it is over. */
static void note_shortage(struct acceptor *acceptor, int reason)
{
	struct err err;

	if (!acceptor->short_of) {
		(void)err_errno(
			&err, reason, "accept connections (they wait; raise the limit on open files)");
		log_event(LOG_LEVEL_WARN, "connections wait", "error", err.text, NULL);
	}
	acceptor->short_of = true;
}

static bool is_shortage(int reason)
{
	return reason == EMFILE || reason == ENFILE || reason == ENOBUFS || reason == ENOMEM;
}

/* Takes those who wait. A connection that its client has given up is no reason to stop. */
static void accept_all(struct acceptor *acceptor)
{
	while (!is_full(acceptor) && !atomic_load(&acceptor->refusing)) {
		struct sockaddr_storage address;
		socklen_t length = sizeof address;
		int fd = accept4(acceptor->listen_fd, (struct sockaddr *)&address, &length,
			SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && is_shortage(errno))
			note_shortage(acceptor, errno);
		if (fd < 0 && (acceptor->short_of || errno == EAGAIN))
			return;
		if (fd < 0)
			continue;
		acceptor->short_of = false;
		deliver(acceptor, fd, &address, length);
	}
}

/* Whoever is asked to make room does so soon; until then there is nothing to be learned from who knocks. */
static void await(struct acceptor *acceptor)
{
	bool full = is_full(acceptor);
	bool pausing = acceptor->short_of || acceptor->asked;
	struct pollfd events[] = {
		{.fd = acceptor->wake_fd, .events = POLLIN},
		{.fd = acceptor->listen_fd, .events = POLLIN},
	};
	eventfd_t ignored;

	(void)poll(events, pausing ? 1 : 2, pausing ? SHORTAGE_PAUSE_MS : -1);
	(void)eventfd_read(acceptor->wake_fd, &ignored);
	acceptor->asked = full && !pausing && (events[1].revents & POLLIN);
	if (acceptor->asked)
		acceptor->exits.crowded(acceptor->exits.context);
}

static void *run(void *argument)
{
	struct acceptor *acceptor = argument;

	while (!atomic_load(&acceptor->refusing)) {
		await(acceptor);
		accept_all(acceptor);
	}
	return NULL;
}

bool acceptor_open(int listen_fd, unsigned max_connections, const struct acceptor_exits *exits,
	struct acceptor **out, struct err *err)
{
	AUTO_ACCEPTOR struct acceptor *acceptor = mem_zero(1, sizeof *acceptor);

	lock_init(&acceptor->mutex, &lock_place);
	acceptor->listen_fd = listen_fd;
	acceptor->max_connections = max_connections;
	acceptor->exits = *exits;
	acceptor->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (acceptor->wake_fd < 0)
		return err_errno(err, errno, "make an eventfd for the acceptor");
	*out = TAKE(acceptor);
	return true;
}

bool acceptor_start(struct acceptor *acceptor, struct err *err)
{
	const struct thread_plan plan = {
		.name = "acceptor", .role = THREAD_LOOP, .run = run, .context = acceptor};

	acceptor->running = thread_start(&acceptor->thread, &plan, err);
	return acceptor->running;
}

void acceptor_release(struct acceptor *acceptor)
{
	LOCKED(&acceptor->mutex);

	INVARIANT(acceptor->open > 0 && acceptor->open <= acceptor->max_connections);
	metric_add(METRIC_CONNECTIONS, -1);
	if (acceptor->open-- == acceptor->max_connections)
		wake(acceptor);
}

void acceptor_refuse(struct acceptor *acceptor)
{
	atomic_store(&acceptor->refusing, true);
	if (acceptor->running) {
		wake(acceptor);
		thread_join(acceptor->thread);
	}
	acceptor->running = false;
	own_close(&acceptor->listen_fd);
	acceptor->listen_fd = -1;
}

void acceptor_close(struct acceptor *acceptor)
{
	if (!acceptor)
		return;
	acceptor_refuse(acceptor);
	own_close(&acceptor->wake_fd);
	lock_finish(&acceptor->mutex);
	free(acceptor);
}
