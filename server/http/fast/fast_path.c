/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/fast_path.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/mem.h"
#include "server/http/fast/direct.h"
#include "server/http/fast/fast_answer.h"
#include "server/http/fast/fast_connection.h"
#include "server/http/fast/fast_thread.h"
#include "server/http/fast/hit.h"
#include "server/http/fast/plainhead.h"
#include "server/http/fast/wirehead.h"
#include "server/http/loop.h"
#include "server/http/response_cache.h"

/* A first look is short, as most heads are. */
enum { EVENTS = 64, GLANCE = 8 << 10, TICK_MS = 1000 };

struct fast_path {
	struct fast_shared shared;
	unsigned thread_count;
	_Atomic unsigned next; /* the thread that is given the next connection */
	struct fast_thread *threads;
};

static bool is_ending(const struct fast_thread *thread)
{
	return atomic_load_explicit(&thread->shared->ending, memory_order_relaxed);
}

/* ---- heads ---- */

/* A look that was filled may have left something, of which no event will tell. */
static bool is_followed(const struct plain_head *head, size_t length)
{
	return head->length < length || length == GLANCE;
}

/* From the response cache. False: the request is not for here. */
static bool answer(struct fast_thread *thread, struct fast_connection *connection, size_t length)
{
	struct plain_head head;

	if (is_ending(thread) || !plain_head_read(thread->in, length, &head) ||
		(head.closes && is_followed(&head, length)) ||
		!hit_begin(&connection->send, thread->shared->in_flight->settings.response_cache, &head))
		return false;
	hit_note_client(&connection->send, &head, (const struct sockaddr *)&connection->address,
		&thread->shared->in_flight->settings);
	/* An ending server serves what was sent before it closes. */
	connection->send.closes |=
		!is_followed(&head, length) && in_flight_is_ending(thread->shared->in_flight);
	connection->unseen |= is_followed(&head, length);
	fast_connection_note_answered(connection, head.length, thread->in);
	fast_answer_begin(thread, connection);
	return true;
}

/* It was read along with the requests before, which are answered. */
static void refuse_what_follows(struct fast_thread *thread, struct fast_connection *connection)
{
	struct err err;

	(void)err_set(&err, connection->spoilt,
		"What follows the requests that were answered on this connection cannot be read, or is too "
		"large.");
	thread->in[0] = '\0';
	fast_thread_refuse(thread, connection, &err);
}

/* From its first byte on a head has so long, however its bytes come. */
static void note_head(struct fast_thread *thread, struct fast_connection *connection, size_t length)
{
	if (connection->state == FAST_WAITING) {
		fast_connection_enter(connection, FAST_HEAD);
		connection->active_s = thread->now_s;
	}
	connection->looked = length;
}

/* The rest may come, unless the client has said that it will not. */
static void await_end(struct fast_thread *thread, struct fast_connection *connection, size_t length)
{
	struct err err;

	note_head(thread, connection, length);
	if (!wire_head_may_end(thread->in, length, &err))
		fast_thread_refuse(thread, connection, &err);
	else if (connection->unseen)
		fast_thread_drop(thread, connection, SENDING_DONE);
	else if (connection->looks_past)
		(void)fast_connection_look_past(connection);
}

/* Whoever wants it closed wants nothing of what follows, but libmicrohttpd knows how to leave that. */
static bool is_for_handler(const struct fast_thread *thread, size_t length, const struct wire_head *head)
{
	return !is_ending(thread) && direct_suits(head) && !(head->closes && head->length < length);
}

/* A head that the response cache does not answer. */
static void judge(struct fast_thread *thread, struct fast_connection *connection)
{
	size_t got = fast_thread_look_again(thread, connection);
	size_t length;
	struct wire_head head;
	struct wire_heads heads;
	struct err err;

	if (got == 0)
		return;
	length = wire_head_end(thread->in, got, connection->looked);
	if (length == 0) {
		await_end(thread, connection, got);
	} else if (!wire_head_read(thread->in, length, &head, &err)) {
		fast_thread_refuse(thread, connection, &err);
	} else if (is_for_handler(thread, got, &head)) {
		fast_answer_call(thread, connection, got, &head);
	} else {
		wire_heads_read(thread->in, got, &head, &heads);
		fast_thread_hand_on(thread, connection, thread->in, &heads);
	}
}

/* One request. */
static void receive(struct fast_thread *thread, struct fast_connection *connection)
{
	size_t got;

	if (connection->state == FAST_HEAD) {
		judge(thread, connection);
		return;
	}
	got = fast_thread_look(thread, connection, GLANCE);
	if (got > 0 && !answer(thread, connection, got))
		judge(thread, connection);
}

/* ---- a thread ---- */

static void serve(struct fast_thread *thread, struct fast_connection *connection, uint32_t events)
{
	bool is_suspended = fast_connection_is_suspended(connection);

	connection->unseen = is_suspended || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	if (is_suspended)
		return;
	if (connection->state == FAST_FULL)
		fast_answer_continue(thread, connection);
	else
		receive(thread, connection);
}

static void begin(struct fast_thread *thread, struct fast_connection *connection)
{
	fast_thread_take(thread, connection);
	fast_connection_enter(connection, FAST_WAITING);
	if (connection->spoilt)
		refuse_what_follows(thread, connection);
	else if (!fast_thread_watch(thread, connection, FAST_REQUESTS))
		fast_thread_drop(thread, connection, SENDING_DONE);
}

static void take_posts(struct fast_thread *thread)
{
	struct list posts;
	struct fast_connection *connection;

	loop_collect(&thread->loop, &posts);
	while ((connection = LIST_TAKE(struct fast_connection, post, &posts))) {
		if (connection->state == FAST_ARRIVING)
			begin(thread, connection);
		else
			fast_answer_resume(thread, connection);
	}
}

/* What is being sent counts by itself from here on. */
static void note_end(struct fast_thread *thread)
{
	fast_thread_hand_on_idle(thread);
	if (!thread->ended)
		in_flight_leave(thread->shared->in_flight);
	thread->ended = true;
}

static void work(struct fast_thread *thread)
{
	struct epoll_event events[EVENTS];
	bool woken;
	int count = loop_wait(&thread->loop, events, EVENTS, TICK_MS, &woken);
	bool second_passed = fast_thread_read_clocks(thread);

	/* What may end other connections than the event's own comes when all events are served. */
	for (int i = 0; i < count; i++)
		serve(thread, events[i].data.ptr, events[i].events);
	if (second_passed)
		fast_thread_sweep(thread);
	if (!woken)
		return;
	take_posts(thread);
	if (atomic_exchange(&thread->crowded, false))
		fast_thread_make_room(thread);
	if (atomic_load(&thread->shared->ending))
		note_end(thread);
}

static void *run(void *argument)
{
	struct fast_thread *thread = argument;

	while (!loop_is_shut(&thread->loop))
		work(thread);
	take_posts(thread);
	LIST_EACH (struct fast_connection, connection, link, &thread->connections)
		fast_thread_drop(thread, connection, SENDING_STOPPED);
	return NULL;
}

/* ---- all of them ---- */

static bool open_thread(struct fast_path *fast_path, struct fast_thread *thread, struct err *err)
{
	const struct thread_plan plan = {
		.name = "fast path", .role = THREAD_LOOP, .run = run, .context = thread};

	thread->shared = &fast_path->shared;
	list_init(&thread->connections);
	fast_path->thread_count++;
	return loop_open(&thread->loop, err) && loop_start(&thread->loop, &plan, err);
}

bool fast_path_open(struct in_flight *in_flight, const struct fast_path_exits *exits, struct fast_path **out,
	struct err *err)
{
	AUTO_FAST_PATH struct fast_path *fast_path = mem_zero(1, sizeof *fast_path);
	unsigned threads = in_flight->settings.threads;
	bool opened = true;

	fast_path->shared.in_flight = in_flight;
	fast_path->shared.exits = *exits;
	fast_path->threads = mem_zero(threads, sizeof *fast_path->threads);
	for (unsigned i = 0; i < threads && opened; i++)
		opened = open_thread(fast_path, &fast_path->threads[i], err);
	if (!opened)
		return false;
	*out = TAKE(fast_path);
	return true;
}

bool fast_path_take(struct fast_path *fast_path, int fd, const struct sockaddr_storage *address,
	socklen_t length, enum err_code spoilt)
{
	struct fast_connection *connection = mem_zero(1, sizeof *connection);
	unsigned next = atomic_fetch_add_explicit(&fast_path->next, 1, memory_order_relaxed);
	struct fast_thread *thread = &fast_path->threads[next % fast_path->thread_count];
	const int on = 1;

	/* A head that waits for its body says so (MSG_MORE); nothing else is worth waiting for. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	connection->state = FAST_ARRIVING;
	connection->fd = fd;
	connection->spoilt = spoilt;
	connection->thread = thread;
	connection->job.ops = &fast_answer_job_ops;
	connection->job.socket = fd;
	connection->looks_past = fast_connection_look_past(connection);
	connection->address = *address;
	connection->address_length = length;
	if (loop_offer(&thread->loop, &connection->post))
		return true;
	free(connection);
	return false;
}

void fast_path_make_room(struct fast_path *fast_path)
{
	struct fast_thread *idlest = &fast_path->threads[0];

	for (unsigned i = 1; i < fast_path->thread_count; i++) {
		if (atomic_load_explicit(&fast_path->threads[i].idlest_s, memory_order_relaxed) <
			atomic_load_explicit(&idlest->idlest_s, memory_order_relaxed))
			idlest = &fast_path->threads[i];
	}
	atomic_store(&idlest->crowded, true);
	loop_wake(&idlest->loop);
}

/* A thread may be about to begin an answer that counts as running only when it has to wait: so each thread
 * counts as one until it knows. */
void fast_path_end(struct fast_path *fast_path)
{
	if (!fast_path)
		return;
	for (unsigned i = 0; i < fast_path->thread_count; i++)
		in_flight_enter(fast_path->shared.in_flight);
	atomic_store(&fast_path->shared.ending, true);
	for (unsigned i = 0; i < fast_path->thread_count; i++)
		loop_wake(&fast_path->threads[i].loop);
}

void fast_path_stop(struct fast_path *fast_path)
{
	if (!fast_path)
		return;
	for (unsigned i = 0; i < fast_path->thread_count; i++)
		loop_shut(&fast_path->threads[i].loop);
	for (unsigned i = 0; i < fast_path->thread_count; i++)
		loop_join(&fast_path->threads[i].loop);
}

void fast_path_destroy(struct fast_path *fast_path)
{
	if (!fast_path)
		return;
	fast_path_stop(fast_path);
	for (unsigned i = 0; i < fast_path->thread_count; i++)
		loop_close(&fast_path->threads[i].loop);
	free(fast_path->threads);
	free(fast_path);
}
