/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/express.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/http/hot.h"
#include "server/http/hotsend.h"
#include "server/http/plainhead.h"
#include "server/metrics.h"

enum { EVENTS = 64, HEAD_MAX = 8 << 10, TICK_MS = 1000 };

/* A lane's own, but while it is among the incoming. */
struct connection {
	struct connection *next;
	struct connection *previous;
	int fd;
	bool waits_to_send; /* and counts among the running requests */
	int64_t active_s;
	struct hotsend send;
	socklen_t address_length;
	struct sockaddr_storage address;
};

struct lane {
	pthread_mutex_t mutex; /* guards incoming */
	struct connection *incoming;
	struct express *express;
	pthread_t thread;
	bool running;
	int epoll_fd;
	int wake_fd;
	struct connection *first; /* from here on the thread's own */
	bool ended;               /* has begun its last answer */
	int64_t now_s;
	int64_t date_s;
	struct hotsend_desk desk;
	char in[HEAD_MAX + 1];
};

struct express {
	struct traffic *traffic;
	struct express_exits exits;
	unsigned lane_count;
	unsigned next; /* the lane that is given the next connection */
	_Atomic bool ending;
	_Atomic bool closing;
	struct lane *lanes;
};

/* ---- a lane's connections ---- */

static bool watch(const struct lane *lane, struct connection *connection, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = connection};

	return epoll_ctl(lane->epoll_fd, operation, connection->fd, &event) == 0;
}

static void link_in(struct lane *lane, struct connection *connection)
{
	connection->previous = NULL;
	connection->next = lane->first;
	if (lane->first)
		lane->first->previous = connection;
	lane->first = connection;
}

static void link_out(struct lane *lane, struct connection *connection)
{
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		lane->first = connection->next;
}

/* The reply is sent, or never will be. */
static void finish_sending(struct lane *lane, struct connection *connection, const char *ending)
{
	hotsend_finish(&connection->send, (const struct sockaddr *)&connection->address, ending);
	if (connection->waits_to_send)
		traffic_leave(lane->express->traffic);
	connection->waits_to_send = false;
}

static void drop(struct lane *lane, struct connection *connection, const char *ending)
{
	const struct express_exits *exits = &lane->express->exits;

	finish_sending(lane, connection, ending);
	link_out(lane, connection);
	(void)close(connection->fd);
	free(connection);
	exits->closed(exits->context);
}

static void hand_on(struct lane *lane, struct connection *connection, const char *head)
{
	const struct express_exits *exits = &lane->express->exits;

	link_out(lane, connection);
	(void)watch(lane, connection, EPOLL_CTL_DEL, 0);
	exits->hand_on(
		exits->context, connection->fd, &connection->address, connection->address_length, head);
	free(connection);
}

/* ---- one request ---- */

/* Goes on when the socket takes more. */
static void wait_to_send(struct lane *lane, struct connection *connection)
{
	if (connection->waits_to_send)
		return;
	connection->waits_to_send = true;
	traffic_enter(lane->express->traffic);
	if (!watch(lane, connection, EPOLL_CTL_MOD, EPOLLOUT))
		drop(lane, connection, "broken");
}

static void go_on(struct lane *lane, struct connection *connection, enum hotsend_result result)
{
	bool had_to_wait = connection->waits_to_send;
	bool closes = connection->send.closes;

	connection->active_s = lane->now_s;
	if (result == HOTSEND_WAIT) {
		wait_to_send(lane, connection);
	} else if (result != HOTSEND_DONE) {
		drop(lane, connection, result == HOTSEND_GONE ? "client gone" : "broken");
	} else {
		finish_sending(lane, connection, NULL);
		if (closes)
			drop(lane, connection, NULL);
		else if (atomic_load_explicit(&lane->express->ending, memory_order_relaxed))
			hand_on(lane, connection, "");
		else if (had_to_wait && !watch(lane, connection, EPOLL_CTL_MOD, EPOLLIN))
			drop(lane, connection, NULL);
	}
}

/* False: the request is not for here. */
static bool answer(struct lane *lane, struct connection *connection, size_t length)
{
	const struct express *express = lane->express;
	struct plain_head head;

	if (atomic_load_explicit(&express->ending, memory_order_relaxed) ||
		!plain_head_read(lane->in, length, &head) || (head.closes && head.length < length) ||
		!hotsend_begin(&connection->send, express->traffic->settings.hot, &head))
		return false;
	/* Takes the head out of the socket without copying it once more. */
	(void)recv(connection->fd, lane->in, head.length, MSG_TRUNC);
	go_on(lane, connection, hotsend_first(&connection->send, &lane->desk, connection->fd));
	return true;
}

static bool is_nothing_yet(int reason)
{
	return reason == EAGAIN || reason == EINTR;
}

static void receive(struct lane *lane, struct connection *connection)
{
	ssize_t got = recv(connection->fd, lane->in, HEAD_MAX, MSG_PEEK);

	if (got < 0 && is_nothing_yet(errno))
		return;
	if (got <= 0) {
		drop(lane, connection, NULL);
		return;
	}
	lane->in[got] = '\0';
	if (!answer(lane, connection, (size_t)got))
		hand_on(lane, connection, lane->in);
}

static void serve(struct lane *lane, struct connection *connection)
{
	if (connection->waits_to_send)
		go_on(lane, connection, hotsend_next(&connection->send, connection->fd));
	else
		receive(lane, connection);
}

/* ---- a lane ---- */

static struct connection *take_incoming(struct lane *lane)
{
	LOCKED(&lane->mutex);

	return TAKE(lane->incoming);
}

static void admit(struct lane *lane)
{
	struct connection *connection = take_incoming(lane);
	struct connection *next;

	for (; connection; connection = next) {
		next = connection->next;
		connection->active_s = lane->now_s;
		link_in(lane, connection);
		if (!watch(lane, connection, EPOLL_CTL_ADD, EPOLLIN))
			drop(lane, connection, NULL);
	}
}

static void hand_on_all_idle(struct lane *lane)
{
	struct connection *next;

	for (struct connection *connection = lane->first; connection; connection = next) {
		next = connection->next;
		if (!connection->waits_to_send)
			hand_on(lane, connection, "");
	}
}

/* What is being sent counts by itself from here on. */
static void note_end(struct lane *lane)
{
	hand_on_all_idle(lane);
	if (!lane->ended)
		traffic_leave(lane->express->traffic);
	lane->ended = true;
}

static void drop_stale(struct lane *lane)
{
	int64_t idle_timeout_s = lane->express->traffic->settings.idle_timeout_s;
	struct connection *next;

	for (struct connection *connection = lane->first; connection && idle_timeout_s; connection = next) {
		next = connection->next;
		if (lane->now_s - connection->active_s > idle_timeout_s)
			drop(lane, connection, "timeout");
	}
}

/* Before anything is served: an answer must not be dated before what it tells of. True: a second has passed.
 */
static bool read_clocks(struct lane *lane)
{
	int64_t now_s = clock_monotonic_ms() / 1000;
	int64_t date_s = clock_now_s();
	bool passed = now_s != lane->now_s;

	lane->now_s = now_s;
	if (date_s != lane->date_s)
		hotsend_set_date(&lane->desk, date_s);
	lane->date_s = date_s;
	return passed;
}

static void work(struct lane *lane)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(lane->epoll_fd, events, EVENTS, TICK_MS);
	bool second_passed = read_clocks(lane);
	eventfd_t ignored;
	bool woken = false;

	/* What may end other connections than the event's own comes when all events are served. */
	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr)
			serve(lane, events[i].data.ptr);
		else
			woken = true;
	}
	if (second_passed)
		drop_stale(lane);
	if (!woken)
		return;
	(void)eventfd_read(lane->wake_fd, &ignored);
	admit(lane);
	if (atomic_load(&lane->express->ending))
		note_end(lane);
}

static void *run(void *argument)
{
	struct lane *lane = argument;

	while (!atomic_load_explicit(&lane->express->closing, memory_order_relaxed))
		work(lane);
	admit(lane);
	while (lane->first)
		drop(lane, lane->first, "shutdown");
	return NULL;
}

/* ---- all of them ---- */

static bool open_lane(struct express *express, struct lane *lane, struct err *err)
{
	struct epoll_event event = {.events = EPOLLIN};
	int failure;

	lane->express = express;
	(void)pthread_mutex_init(&lane->mutex, NULL);
	lane->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	lane->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	express->lane_count++;
	if (lane->epoll_fd < 0 || lane->wake_fd < 0 ||
		epoll_ctl(lane->epoll_fd, EPOLL_CTL_ADD, lane->wake_fd, &event) < 0)
		return err_errno(err, errno, "make an epoll set for connections");
	failure = pthread_create(&lane->thread, NULL, run, lane);
	lane->running = failure == 0;
	return lane->running || err_errno(err, failure, "start a thread for connections");
}

bool express_open(
	struct traffic *traffic, const struct express_exits *exits, struct express **out, struct err *err)
{
	struct express *express = mem_zero(1, sizeof *express);
	unsigned lanes = traffic->settings.threads;
	bool opened = true;

	express->traffic = traffic;
	express->exits = *exits;
	express->lanes = mem_zero(lanes, sizeof *express->lanes);
	for (unsigned i = 0; i < lanes && opened; i++)
		opened = open_lane(express, &express->lanes[i], err);
	if (!opened) {
		express_close(express);
		return false;
	}
	*out = express;
	return true;
}

static void push(struct lane *lane, struct connection *connection)
{
	LOCKED(&lane->mutex);

	connection->next = lane->incoming;
	lane->incoming = connection;
}

void express_take(struct express *express, int fd, const struct sockaddr_storage *address, socklen_t length)
{
	struct connection *connection = mem_zero(1, sizeof *connection);
	struct lane *lane = &express->lanes[express->next++ % express->lane_count];
	const int on = 1;

	/* A head that waits for its body says so (MSG_MORE); nothing else is worth waiting for. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	connection->fd = fd;
	connection->address = *address;
	connection->address_length = length;
	push(lane, connection);
	(void)eventfd_write(lane->wake_fd, 1);
}

static void wake_all(const struct express *express)
{
	for (unsigned i = 0; i < express->lane_count; i++)
		(void)eventfd_write(express->lanes[i].wake_fd, 1);
}

/* A lane may be about to begin an answer that counts as running only when it has to wait: so each lane counts
 * as one until it knows. */
void express_end(struct express *express)
{
	for (unsigned i = 0; i < express->lane_count; i++)
		traffic_enter(express->traffic);
	atomic_store(&express->ending, true);
	wake_all(express);
}

static void close_lane(struct lane *lane)
{
	if (lane->running)
		(void)pthread_join(lane->thread, NULL);
	own_close(&lane->epoll_fd);
	own_close(&lane->wake_fd);
	(void)pthread_mutex_destroy(&lane->mutex);
}

void express_close(struct express *express)
{
	if (!express)
		return;
	atomic_store(&express->closing, true);
	wake_all(express);
	for (unsigned i = 0; i < express->lane_count; i++)
		close_lane(&express->lanes[i]);
	free(express->lanes);
	free(express);
}
