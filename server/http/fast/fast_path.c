/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/fast_path.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/container.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/http/delivery.h"
#include "server/http/exchange/sender_pool.h"
#include "server/http/fast/direct.h"
#include "server/http/fast/hit.h"
#include "server/http/fast/plainhead.h"
#include "server/http/fast/refusal.h"
#include "server/http/fast/wirehead.h"
#include "server/http/loop.h"
#include "server/http/response_cache.h"
#include "server/metrics.h"

/* A first look is short, as most heads are; one byte more than a head may have tells that it has more. */
enum { EVENTS = 64, GLANCE = 8 << 10, LOOK = WIRE_HEAD_MAX + 1, ANSWERED_MAX = 2 << 10, TICK_MS = 1000 };

/* Who asked for something less long ago is not idle, however many wait for room. */
enum { CROWDED_IDLE_S = 2 };

/* Of each change once: looking again at what was just served would cost as much as it tells. */
enum { REQUESTS = EPOLLIN | EPOLLRDHUP | (int)EPOLLET };

/* A thread's own, but while it is posted to it or with the sender pool. */
struct connection {
	struct post post;
	struct sender_job job;
	struct fast_thread *thread;
	struct connection *next;
	struct connection *previous;
	int fd;
	uint32_t watched;      /* what its thread waits for */
	struct direct *direct; /* the request that a handler answers, or NULL */
	bool suspended;        /* meanwhile */
	bool unseen;           /* there is more than the last event's turn has looked at */
	bool counts;           /* among the running requests, as its answer has to wait */
	bool was_sent;         /* comes from the sender pool, where it ended so: */
	enum sending ending;
	bool looks_past; /* sees what comes behind the heads that were answered, which stay until later */
	size_t answered; /* bytes of them */
	size_t looked;   /* how much of a head is there, in which its end is not */
	enum err_code spoilt; /* why nothing more can be read; ERR_NONE: it can */
	int64_t active_s;
	struct hit send;
	socklen_t address_length;
	struct sockaddr_storage address;
};

struct fast_thread {
	struct loop loop;
	struct fast_path *fast_path;
	_Atomic bool crowded;     /* one connection is to make room */
	_Atomic int64_t idlest_s; /* since when its idlest connection has been so */
	struct connection *first; /* from here on the thread's own */
	bool ended;               /* has begun its last answer */
	int64_t now_s;
	int64_t date_s;
	struct hit_desk desk;
	char in[LOOK + 1];
};

struct fast_path {
	struct in_flight *in_flight;
	struct fast_path_exits exits;
	unsigned thread_count;
	_Atomic unsigned next; /* the thread that is given the next connection */
	_Atomic bool ending;
	struct fast_thread *threads;
};

/* ---- a thread's connections ---- */

/* 0: nothing. */
static bool watch(struct fast_thread *thread, struct connection *connection, uint32_t events)
{
	int operation = !connection->watched ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (connection->watched == events && !connection->unseen)
		return true;
	connection->watched = events;
	connection->unseen = false;
	return loop_watch(&thread->loop, operation, connection->fd, events, connection);
}

static void link_in(struct fast_thread *thread, struct connection *connection)
{
	connection->previous = NULL;
	connection->next = thread->first;
	if (thread->first)
		thread->first->previous = connection;
	thread->first = connection;
}

static void link_out(struct fast_thread *thread, struct connection *connection)
{
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		thread->first = connection->next;
}

/* An answer is being made or sent, of which others than its thread know. */
static bool is_busy(const struct connection *connection)
{
	return connection->counts || connection->direct;
}

/* The reply is sent, or never will be. */
static void finish_sending(struct fast_thread *thread, struct connection *connection, enum sending ending)
{
	bool counts_all = ending == SENDING_DONE || !connection->send.reply;
	int64_t unconfirmed = counts_all ? 0 : delivery_unconfirmed(connection->fd);

	direct_finish(TAKE(connection->direct), &connection->send, ending, unconfirmed);
	hit_finish(&connection->send, (const struct sockaddr *)&connection->address, ending, unconfirmed);
	if (connection->counts)
		in_flight_leave(thread->fast_path->in_flight);
	connection->counts = false;
}

/* Looks from here on start at the first byte there is (for TCP from Linux 6.9 on). */
static bool look_past(const struct connection *connection)
{
	const int nothing = 0;

	return setsockopt(connection->fd, SOL_SOCKET, SO_PEEK_OFF, &nothing, sizeof nothing) == 0;
}

/* Out of the socket, without copying them once more. What was sent as urgent ends a call before its time. */
static void take_answered(struct fast_thread *thread, struct connection *connection)
{
	size_t left = connection->answered;
	ssize_t taken = 1;

	while (left > 0 && taken > 0) {
		taken = recv(connection->fd, thread->in, left < LOOK ? left : LOOK, MSG_TRUNC);
		left -= taken > 0 ? (size_t)taken : 0;
	}
	connection->answered = 0;
}

/* What has no end must not look as if it had come to it. */
static void cut(const struct connection *connection)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	metric_add(METRIC_CUTS, 1);
	(void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* What is closed with bytes unread is reset, and the client might lose its answer. */
static void drop(struct fast_thread *thread, struct connection *connection, enum sending ending)
{
	const struct fast_path_exits *exits = &thread->fast_path->exits;

	if (connection->direct && direct_is_cut(connection->direct, ending))
		cut(connection);
	finish_sending(thread, connection, ending);
	connection->answered += connection->looked;
	take_answered(thread, connection);
	link_out(thread, connection);
	(void)close(connection->fd);
	free(connection);
	exits->closed(exits->context);
}

/* Takes what was answered out of its socket, which is another's from now on. */
static void part_with(struct fast_thread *thread, struct connection *connection)
{
	take_answered(thread, connection);
	link_out(thread, connection);
	(void)watch(thread, connection, 0);
}

static void hand_on(struct fast_thread *thread, struct connection *connection, const char *head,
	const struct wire_heads *heads)
{
	const struct fast_path_exits *exits = &thread->fast_path->exits;

	part_with(thread, connection);
	exits->hand_on(exits->context, connection->fd, &connection->address, connection->address_length, head,
		heads);
	free(connection);
}

/* ---- one request ---- */

/* An answer that has to wait counts until its end. */
static void count_in(struct fast_thread *thread, struct connection *connection)
{
	if (!is_busy(connection))
		in_flight_enter(thread->fast_path->in_flight);
	connection->counts = !connection->direct;
}

/* What would have to wait for the disk goes on where nobody else waits for it. */
static void load(struct fast_thread *thread, struct connection *connection)
{
	(void)watch(thread, connection, 0);
	link_out(thread, connection);
	connection->send.patient = true;
	if (sender_pool_submit(thread->fast_path->in_flight->cold_senders, &connection->job))
		return;
	link_in(thread, connection);
	drop(thread, connection, SENDING_STOPPED);
}

static void complete(struct fast_thread *thread, struct connection *connection)
{
	bool closes = connection->send.closes;

	finish_sending(thread, connection, SENDING_DONE);
	if (!closes && atomic_load_explicit(&thread->fast_path->ending, memory_order_relaxed))
		hand_on(thread, connection, NULL, NULL);
	else if (closes || !watch(thread, connection, REQUESTS))
		drop(thread, connection, SENDING_DONE);
}

static void feed(struct fast_thread *thread, struct connection *connection);

static void go_on(struct fast_thread *thread, struct connection *connection, enum sending sending)
{
	connection->active_s = thread->now_s;
	if (sending == SENDING_DONE && connection->direct && direct_is_to_feed(connection->direct)) {
		feed(thread, connection);
	} else if (sending == SENDING_DONE) {
		complete(thread, connection);
	} else if (sending == SENDING_FULL && watch(thread, connection, EPOLLOUT)) {
		count_in(thread, connection);
	} else if (sending == SENDING_COLD) {
		count_in(thread, connection);
		load(thread, connection);
	} else {
		drop(thread, connection, sending == SENDING_FULL ? SENDING_BROKEN : sending);
	}
}

static void end_feed(struct fast_thread *thread, struct connection *connection)
{
	enum sending ending = direct_end_feed(connection->direct, &connection->send);

	if (ending == SENDING_DONE)
		go_on(thread, connection, hit_next(&connection->send, connection->fd));
	else
		drop(thread, connection, ending);
}

/* The head is out, and the rest the sender pool's. */
static void feed(struct fast_thread *thread, struct connection *connection)
{
	bool arrived = false;

	if (!direct_feed(connection->direct, connection->fd, &arrived))
		drop(thread, connection, SENDING_STOPPED);
	else if (arrived)
		end_feed(thread, connection);
	else
		connection->suspended = true;
}

/* On a thread of the sender pool. */
static struct connection *of_job(struct sender_job *job)
{
	return CONTAINER_OF(job, struct connection, job);
}

static enum sending advance_job(struct sender_job *job)
{
	return hit_next(&of_job(job)->send, job->socket);
}

static void job_ended(struct sender_job *job, enum sending ending)
{
	struct connection *connection = of_job(job);

	connection->was_sent = true;
	connection->ending = ending;
	loop_post(&connection->thread->loop, &connection->post);
}

static const struct sender_job_ops job_ops = {advance_job, NULL, job_ended};

/* Its head stays in the socket where looks can go past it, but not for ever. */
static void note_answered(struct fast_thread *thread, struct connection *connection, size_t length)
{
	connection->answered += length;
	if (connection->looks_past && connection->answered < ANSWERED_MAX && !connection->unseen)
		return;
	take_answered(thread, connection);
	if (connection->looks_past)
		(void)look_past(connection);
}

/* A look that was filled may have left something, of which no event will tell. */
static bool is_followed(const struct plain_head *head, size_t length)
{
	return head->length < length || length == GLANCE;
}

/* False: the request is not for here. */
static bool answer(struct fast_thread *thread, struct connection *connection, size_t length)
{
	const struct fast_path *fast_path = thread->fast_path;
	struct plain_head head;

	if (atomic_load_explicit(&fast_path->ending, memory_order_relaxed) ||
		!plain_head_read(thread->in, length, &head) || (head.closes && is_followed(&head, length)) ||
		!hit_begin(&connection->send, fast_path->in_flight->settings.response_cache, &head))
		return false;
	connection->unseen |= is_followed(&head, length);
	note_answered(thread, connection, head.length);
	go_on(thread, connection, hit_first(&connection->send, &thread->desk, connection->fd));
	return true;
}

static bool is_nothing_yet(int reason)
{
	return reason == EAGAIN || reason == EINTR;
}

/* What has come, up to this much. 0: nothing yet, or the connection was dropped. */
static size_t look(struct fast_thread *thread, struct connection *connection, size_t most)
{
	ssize_t got = recv(connection->fd, thread->in, most, MSG_PEEK);

	if (got < 0 && is_nothing_yet(errno))
		return 0;
	if (got <= 0) {
		drop(thread, connection, SENDING_DONE);
		return 0;
	}
	thread->in[got] = '\0';
	return (size_t)got;
}

/* From the head's first byte on, wherever looks have come to. */
static size_t look_again(struct fast_thread *thread, struct connection *connection)
{
	take_answered(thread, connection);
	if (connection->looks_past)
		(void)look_past(connection);
	return look(thread, connection, LOOK);
}

/* An answer of this size fits into a socket that has nothing to send. */
static void refuse(struct fast_thread *thread, struct connection *connection, const struct err *err)
{
	const struct fast_path_exits *exits = &thread->fast_path->exits;
	bool is_head = strncmp(thread->in, "HEAD ", 5) == 0;

	part_with(thread, connection);
	refusal_send(connection->fd, (const struct sockaddr *)&connection->address, thread->desk.date,
		is_head, err);
	exits->see_off(exits->context, connection->fd);
	free(connection);
}

/* It was read along with the requests before, which are answered. */
static void refuse_what_follows(struct fast_thread *thread, struct connection *connection)
{
	struct err err;

	(void)err_set(&err, connection->spoilt,
		"What follows the requests that were answered on this connection cannot be read, or is too "
		"large.");
	thread->in[0] = '\0';
	refuse(thread, connection, &err);
}

/* The rest may come, unless the client has said that it will not. */
static void await_end(struct fast_thread *thread, struct connection *connection, size_t length)
{
	struct err err;

	/* From its first byte on a head has so long, however its bytes come. */
	if (connection->looked == 0)
		connection->active_s = thread->now_s;
	connection->looked = length;
	if (!wire_head_may_end(thread->in, length, &err))
		refuse(thread, connection, &err);
	else if (connection->unseen)
		drop(thread, connection, SENDING_DONE);
	else if (connection->looks_past)
		(void)look_past(connection);
}

/* ---- a request that a handler answers ---- */

/* Its thread has seen to it. */
static void suspend(struct suspension *suspension)
{
}

static void resume(struct suspension *suspension)
{
	struct connection *connection = suspension->connection;

	loop_post(&connection->thread->loop, &connection->post);
}

static int socket_of(const struct suspension *suspension)
{
	return ((const struct connection *)suspension->connection)->fd;
}

static const struct suspension_ops suspension_ops = {suspend, resume, socket_of};

static void send_answer(struct fast_thread *thread, struct connection *connection)
{
	if (direct_answer(connection->direct, &connection->send))
		go_on(thread, connection, hit_first(&connection->send, &thread->desk, connection->fd));
	else
		drop(thread, connection, SENDING_GONE);
}

static void answer_suspended(struct fast_thread *thread, struct connection *connection)
{
	connection->suspended = false;
	connection->active_s = thread->now_s;
	if (direct_has_fed(connection->direct))
		end_feed(thread, connection);
	else
		send_answer(thread, connection);
}

/* What comes meanwhile is looked at when it is answered. */
static void call(struct fast_thread *thread, struct connection *connection, size_t length,
	const struct wire_head *head)
{
	connection->direct = direct_create(thread->fast_path->in_flight, thread->in, head,
		(const struct sockaddr *)&connection->address, &suspension_ops, connection);
	connection->looked = 0;
	connection->unseen |= head->length < length;
	note_answered(thread, connection, head->length);
	connection->suspended = direct_call(connection->direct);
	if (!connection->suspended)
		send_answer(thread, connection);
}

/* Whoever wants it closed wants nothing of what follows, but libmicrohttpd knows how to leave that. */
static bool is_for_handler(const struct fast_thread *thread, size_t length, const struct wire_head *head)
{
	return !atomic_load_explicit(&thread->fast_path->ending, memory_order_relaxed) &&
	       direct_suits(thread->in, head) && !(head->closes && head->length < length);
}

/* ---- whatever comes ---- */

/* A head that is not answered here. */
static void judge(struct fast_thread *thread, struct connection *connection)
{
	size_t got = look_again(thread, connection);
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
		refuse(thread, connection, &err);
	} else if (is_for_handler(thread, got, &head)) {
		call(thread, connection, got, &head);
	} else {
		wire_heads_read(thread->in, got, &head, &heads);
		hand_on(thread, connection, thread->in, &heads);
	}
}

/* One request. */
static void receive(struct fast_thread *thread, struct connection *connection)
{
	size_t got;

	if (connection->looked) {
		judge(thread, connection);
		return;
	}
	got = look(thread, connection, GLANCE);
	if (got > 0 && !answer(thread, connection, got))
		judge(thread, connection);
}

static void serve(struct fast_thread *thread, struct connection *connection, uint32_t events)
{
	connection->unseen = connection->suspended || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	if (connection->suspended)
		return;
	if (is_busy(connection))
		go_on(thread, connection, hit_next(&connection->send, connection->fd));
	else
		receive(thread, connection);
}

/* ---- a thread ---- */

static void admit(struct fast_thread *thread, struct connection *connection)
{
	bool was_sent = connection->was_sent;

	if (connection->suspended) {
		answer_suspended(thread, connection);
		return;
	}
	link_in(thread, connection);
	connection->active_s = thread->now_s;
	connection->was_sent = false;
	if (was_sent)
		go_on(thread, connection, connection->ending);
	else if (connection->spoilt)
		refuse_what_follows(thread, connection);
	else if (!watch(thread, connection, REQUESTS))
		drop(thread, connection, SENDING_DONE);
}

static void take_posts(struct fast_thread *thread)
{
	struct post *next;

	for (struct post *post = loop_collect(&thread->loop); post; post = next) {
		next = post->next;
		admit(thread, CONTAINER_OF(post, struct connection, post));
	}
}

static void hand_on_all_idle(struct fast_thread *thread)
{
	struct connection *next;

	for (struct connection *connection = thread->first; connection; connection = next) {
		next = connection->next;
		if (!is_busy(connection))
			hand_on(thread, connection, NULL, NULL);
	}
}

/* What is being sent counts by itself from here on. */
static void note_end(struct fast_thread *thread)
{
	hand_on_all_idle(thread);
	if (!thread->ended)
		in_flight_leave(thread->fast_path->in_flight);
	thread->ended = true;
}

static bool is_stale(const struct fast_thread *thread, const struct connection *connection)
{
	const struct front_settings *settings = &thread->fast_path->in_flight->settings;
	int64_t limit_s = connection->looked ? settings->head_timeout_s : settings->idle_timeout_s;

	return limit_s && !connection->suspended && thread->now_s - connection->active_s > limit_s;
}

/* Once a second. */
static void sweep(struct fast_thread *thread)
{
	int64_t idlest_s = INT64_MAX;
	struct connection *next;

	for (struct connection *connection = thread->first; connection; connection = next) {
		next = connection->next;
		if (is_stale(thread, connection)) {
			drop(thread, connection, SENDING_LATE);
			continue;
		}
		if (connection->active_s < thread->now_s)
			take_answered(thread, connection);
		if (!is_busy(connection) && connection->active_s < idlest_s)
			idlest_s = connection->active_s;
	}
	atomic_store_explicit(&thread->idlest_s, idlest_s, memory_order_relaxed);
}

/* Ends the connection that has asked for nothing for the longest time, and publishes the next one's age. */
static void make_room(struct fast_thread *thread)
{
	struct connection *idlest = NULL;
	int64_t next_s = INT64_MAX;

	for (struct connection *connection = thread->first; connection; connection = connection->next) {
		if (is_busy(connection) || thread->now_s - connection->active_s < CROWDED_IDLE_S)
			continue;
		if (!idlest || connection->active_s < idlest->active_s) {
			next_s = idlest ? idlest->active_s : next_s;
			idlest = connection;
		} else if (connection->active_s < next_s) {
			next_s = connection->active_s;
		}
	}
	if (idlest) {
		metric_add(METRIC_CROWDED_OUT, 1);
		drop(thread, idlest, SENDING_LATE);
	}
	atomic_store_explicit(&thread->idlest_s, next_s, memory_order_relaxed);
}

/* Before anything is served: an answer must not be dated before what it tells of. True: a second has passed.
 */
static bool read_clocks(struct fast_thread *thread)
{
	int64_t date_s = clock_now_s();

	if (date_s == thread->date_s)
		return false;
	thread->date_s = date_s;
	thread->now_s = clock_monotonic_ms() / 1000;
	hit_set_date(&thread->desk, date_s);
	return true;
}

static void work(struct fast_thread *thread)
{
	struct epoll_event events[EVENTS];
	bool woken;
	int count = loop_wait(&thread->loop, events, EVENTS, TICK_MS, &woken);
	bool second_passed = read_clocks(thread);

	/* What may end other connections than the event's own comes when all events are served. */
	for (int i = 0; i < count; i++)
		serve(thread, events[i].data.ptr, events[i].events);
	if (second_passed)
		sweep(thread);
	if (!woken)
		return;
	take_posts(thread);
	if (atomic_exchange(&thread->crowded, false))
		make_room(thread);
	if (atomic_load(&thread->fast_path->ending))
		note_end(thread);
}

static void *run(void *argument)
{
	struct fast_thread *thread = argument;

	while (!loop_is_shut(&thread->loop))
		work(thread);
	take_posts(thread);
	while (thread->first)
		drop(thread, thread->first, SENDING_STOPPED);
	return NULL;
}

/* ---- all of them ---- */

static bool open_thread(struct fast_path *fast_path, struct fast_thread *thread, struct err *err)
{
	const struct thread_plan plan = {
		.name = "fast path", .role = THREAD_LOOP, .run = run, .context = thread};

	thread->fast_path = fast_path;
	fast_path->thread_count++;
	return loop_open(&thread->loop, err) && loop_start(&thread->loop, &plan, err);
}

bool fast_path_open(struct in_flight *in_flight, const struct fast_path_exits *exits, struct fast_path **out,
	struct err *err)
{
	struct fast_path *fast_path = mem_zero(1, sizeof *fast_path);
	unsigned threads = in_flight->settings.threads;
	bool opened = true;

	fast_path->in_flight = in_flight;
	fast_path->exits = *exits;
	fast_path->threads = mem_zero(threads, sizeof *fast_path->threads);
	for (unsigned i = 0; i < threads && opened; i++)
		opened = open_thread(fast_path, &fast_path->threads[i], err);
	if (!opened) {
		fast_path_stop(fast_path);
		fast_path_destroy(fast_path);
		return false;
	}
	*out = fast_path;
	return true;
}

bool fast_path_take(struct fast_path *fast_path, int fd, const struct sockaddr_storage *address,
	socklen_t length, enum err_code spoilt)
{
	struct connection *connection = mem_zero(1, sizeof *connection);
	unsigned next = atomic_fetch_add_explicit(&fast_path->next, 1, memory_order_relaxed);
	struct fast_thread *thread = &fast_path->threads[next % fast_path->thread_count];
	const int on = 1;

	/* A head that waits for its body says so (MSG_MORE); nothing else is worth waiting for. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	connection->fd = fd;
	connection->spoilt = spoilt;
	connection->thread = thread;
	connection->job.ops = &job_ops;
	connection->job.socket = fd;
	connection->looks_past = look_past(connection);
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
		in_flight_enter(fast_path->in_flight);
	atomic_store(&fast_path->ending, true);
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
	for (unsigned i = 0; i < fast_path->thread_count; i++)
		loop_close(&fast_path->threads[i].loop);
	free(fast_path->threads);
	free(fast_path);
}
