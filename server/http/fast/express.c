/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/express.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "server/http/delivery.h"
#include "server/http/fast/freight.h"
#include "server/http/fast/hot.h"
#include "server/http/fast/hotsend.h"
#include "server/http/fast/plainhead.h"
#include "server/http/fast/refusal.h"
#include "server/http/fast/wirehead.h"
#include "server/http/loop.h"
#include "server/metrics.h"

/* A first look is short, as most heads are; one byte more than a head may have tells that it has more. */
enum { EVENTS = 64, GLANCE = 8 << 10, LOOK = WIRE_HEAD_MAX + 1, ANSWERED_MAX = 2 << 10, TICK_MS = 1000 };

/* Who asked for something less long ago is not idle, however many wait for room. */
enum { CROWDED_IDLE_S = 2 };

/* Of each change once: looking again at what was just served would cost as much as it tells. */
enum { REQUESTS = EPOLLIN | EPOLLRDHUP | (int)EPOLLET };

/* A lane's own, but while it is posted to it or with the freight. */
struct connection {
	struct post post;
	struct cargo cargo;
	struct lane *lane;
	struct connection *next;
	struct connection *previous;
	int fd;
	uint32_t watched; /* what its lane waits for */
	bool unseen;      /* there is more than the last event's turn has looked at */
	bool counts;      /* among the running requests, as its answer has to wait */
	bool unloaded;    /* comes from the freight, where it ended so: */
	enum sending ending;
	bool looks_past; /* sees what comes behind the heads that were answered, which stay until later */
	size_t answered; /* bytes of them */
	size_t looked;   /* how much of a head is there, in which its end is not */
	enum err_code spoilt; /* why nothing more can be read; ERR_NONE: it can */
	int64_t active_s;
	struct hotsend send;
	socklen_t address_length;
	struct sockaddr_storage address;
};

struct lane {
	struct loop loop;
	struct express *express;
	_Atomic bool crowded;     /* one connection is to make room */
	_Atomic int64_t idlest_s; /* since when its idlest connection has been so */
	struct connection *first; /* from here on the thread's own */
	bool ended;               /* has begun its last answer */
	int64_t now_s;
	int64_t date_s;
	struct hotsend_desk desk;
	char in[LOOK + 1];
};

struct express {
	struct traffic *traffic;
	struct express_exits exits;
	unsigned lane_count;
	_Atomic unsigned next; /* the lane that is given the next connection */
	_Atomic bool ending;
	struct lane *lanes;
};

/* ---- a lane's connections ---- */

/* 0: nothing. */
static bool watch(struct lane *lane, struct connection *connection, uint32_t events)
{
	int operation = !connection->watched ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (connection->watched == events && !connection->unseen)
		return true;
	connection->watched = events;
	connection->unseen = false;
	return loop_watch(&lane->loop, operation, connection->fd, events, connection);
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
static void finish_sending(struct lane *lane, struct connection *connection, enum sending ending)
{
	bool counts_all = ending == SENDING_DONE || !connection->send.reply;

	hotsend_finish(&connection->send, (const struct sockaddr *)&connection->address, ending,
		counts_all ? 0 : delivery_unconfirmed(connection->fd));
	if (connection->counts)
		traffic_leave(lane->express->traffic);
	connection->counts = false;
}

/* Looks from here on start at the first byte there is (for TCP from Linux 6.9 on). */
static bool look_past(const struct connection *connection)
{
	const int nothing = 0;

	return setsockopt(connection->fd, SOL_SOCKET, SO_PEEK_OFF, &nothing, sizeof nothing) == 0;
}

/* Out of the socket, without copying them once more. What was sent as urgent ends a call before its time. */
static void take_answered(struct lane *lane, struct connection *connection)
{
	size_t left = connection->answered;
	ssize_t taken = 1;

	while (left > 0 && taken > 0) {
		taken = recv(connection->fd, lane->in, left < LOOK ? left : LOOK, MSG_TRUNC);
		left -= taken > 0 ? (size_t)taken : 0;
	}
	connection->answered = 0;
}

/* What is closed with bytes unread is reset, and the client might lose its answer. */
static void drop(struct lane *lane, struct connection *connection, enum sending ending)
{
	const struct express_exits *exits = &lane->express->exits;

	finish_sending(lane, connection, ending);
	connection->answered += connection->looked;
	take_answered(lane, connection);
	link_out(lane, connection);
	(void)close(connection->fd);
	free(connection);
	exits->closed(exits->context);
}

/* Takes what was answered out of its socket, which is another's from now on. */
static void part_with(struct lane *lane, struct connection *connection)
{
	take_answered(lane, connection);
	link_out(lane, connection);
	(void)watch(lane, connection, 0);
}

static void hand_on(
	struct lane *lane, struct connection *connection, const char *head, const struct wire_heads *heads)
{
	const struct express_exits *exits = &lane->express->exits;

	part_with(lane, connection);
	exits->hand_on(exits->context, connection->fd, &connection->address, connection->address_length, head,
		heads);
	free(connection);
}

/* ---- one request ---- */

/* An answer that has to wait counts until its end. */
static void count_in(struct lane *lane, struct connection *connection)
{
	if (!connection->counts)
		traffic_enter(lane->express->traffic);
	connection->counts = true;
}

/* What would have to wait for the disk goes on where nobody else waits for it. */
static void load(struct lane *lane, struct connection *connection)
{
	(void)watch(lane, connection, 0);
	link_out(lane, connection);
	connection->send.patient = true;
	if (freight_load(lane->express->traffic->cold_freight, &connection->cargo))
		return;
	link_in(lane, connection);
	drop(lane, connection, SENDING_STOPPED);
}

static void complete(struct lane *lane, struct connection *connection)
{
	bool closes = connection->send.closes;

	finish_sending(lane, connection, SENDING_DONE);
	if (!closes && atomic_load_explicit(&lane->express->ending, memory_order_relaxed))
		hand_on(lane, connection, NULL, NULL);
	else if (closes || !watch(lane, connection, REQUESTS))
		drop(lane, connection, SENDING_DONE);
}

static void go_on(struct lane *lane, struct connection *connection, enum sending sending)
{
	connection->active_s = lane->now_s;
	if (sending == SENDING_DONE) {
		complete(lane, connection);
	} else if (sending == SENDING_FULL && watch(lane, connection, EPOLLOUT)) {
		count_in(lane, connection);
	} else if (sending == SENDING_COLD) {
		count_in(lane, connection);
		load(lane, connection);
	} else {
		drop(lane, connection, sending == SENDING_FULL ? SENDING_BROKEN : sending);
	}
}

/* On a thread of the freight. */
static struct connection *of_cargo(struct cargo *cargo)
{
	return (struct connection *)((char *)cargo - offsetof(struct connection, cargo));
}

static enum sending move_cargo(struct cargo *cargo)
{
	return hotsend_next(&of_cargo(cargo)->send, cargo->socket);
}

static void unload_cargo(struct cargo *cargo, enum sending ending)
{
	struct connection *connection = of_cargo(cargo);

	connection->unloaded = true;
	connection->ending = ending;
	loop_post(&connection->lane->loop, &connection->post);
}

static const struct cargo_ops cargo_ops = {move_cargo, NULL, unload_cargo};

/* Its head stays in the socket where looks can go past it, but not for ever. */
static void note_answered(struct lane *lane, struct connection *connection, size_t length)
{
	connection->answered += length;
	if (connection->looks_past && connection->answered < ANSWERED_MAX && !connection->unseen)
		return;
	take_answered(lane, connection);
	if (connection->looks_past)
		(void)look_past(connection);
}

/* A look that was filled may have left something, of which no event will tell. */
static bool is_followed(const struct plain_head *head, size_t length)
{
	return head->length < length || length == GLANCE;
}

/* False: the request is not for here. */
static bool answer(struct lane *lane, struct connection *connection, size_t length)
{
	const struct express *express = lane->express;
	struct plain_head head;

	if (atomic_load_explicit(&express->ending, memory_order_relaxed) ||
		!plain_head_read(lane->in, length, &head) || (head.closes && is_followed(&head, length)) ||
		!hotsend_begin(&connection->send, express->traffic->settings.hot, &head))
		return false;
	connection->unseen |= is_followed(&head, length);
	note_answered(lane, connection, head.length);
	go_on(lane, connection, hotsend_first(&connection->send, &lane->desk, connection->fd));
	return true;
}

static bool is_nothing_yet(int reason)
{
	return reason == EAGAIN || reason == EINTR;
}

/* What has come, up to this much. 0: nothing yet, or the connection was dropped. */
static size_t look(struct lane *lane, struct connection *connection, size_t most)
{
	ssize_t got = recv(connection->fd, lane->in, most, MSG_PEEK);

	if (got < 0 && is_nothing_yet(errno))
		return 0;
	if (got <= 0) {
		drop(lane, connection, SENDING_DONE);
		return 0;
	}
	lane->in[got] = '\0';
	return (size_t)got;
}

/* From the head's first byte on, wherever looks have come to. */
static size_t look_again(struct lane *lane, struct connection *connection)
{
	take_answered(lane, connection);
	if (connection->looks_past)
		(void)look_past(connection);
	return look(lane, connection, LOOK);
}

/* An answer of this size fits into a socket that has nothing to send. */
static void refuse(struct lane *lane, struct connection *connection, const struct err *err)
{
	const struct express_exits *exits = &lane->express->exits;
	bool is_head = strncmp(lane->in, "HEAD ", 5) == 0;

	part_with(lane, connection);
	refusal_send(
		connection->fd, (const struct sockaddr *)&connection->address, lane->desk.date, is_head, err);
	exits->see_off(exits->context, connection->fd);
	free(connection);
}

/* It was read along with the requests before, which are answered. */
static void refuse_what_follows(struct lane *lane, struct connection *connection)
{
	struct err err;

	(void)err_set(&err, connection->spoilt,
		"What follows the requests that were answered on this connection cannot be read, or is too "
		"large.");
	lane->in[0] = '\0';
	refuse(lane, connection, &err);
}

/* The rest may come, unless the client has said that it will not. */
static void await_end(struct lane *lane, struct connection *connection, size_t length)
{
	struct err err;

	/* From its first byte on a head has so long, however its bytes come. */
	if (connection->looked == 0)
		connection->active_s = lane->now_s;
	connection->looked = length;
	if (!wire_head_may_end(lane->in, length, &err))
		refuse(lane, connection, &err);
	else if (connection->unseen)
		drop(lane, connection, SENDING_DONE);
	else if (connection->looks_past)
		(void)look_past(connection);
}

/* A head that is not answered here. */
static void judge(struct lane *lane, struct connection *connection)
{
	size_t got = look_again(lane, connection);
	size_t length;
	struct wire_head head;
	struct wire_heads heads;
	struct err err;

	if (got == 0)
		return;
	length = wire_head_end(lane->in, got, connection->looked);
	if (length == 0) {
		await_end(lane, connection, got);
	} else if (!wire_head_read(lane->in, length, &head, &err)) {
		refuse(lane, connection, &err);
	} else {
		wire_heads_read(lane->in, got, &head, &heads);
		hand_on(lane, connection, lane->in, &heads);
	}
}

/* One request. */
static void receive(struct lane *lane, struct connection *connection)
{
	size_t got;

	if (connection->looked) {
		judge(lane, connection);
		return;
	}
	got = look(lane, connection, GLANCE);
	if (got > 0 && !answer(lane, connection, got))
		judge(lane, connection);
}

static void serve(struct lane *lane, struct connection *connection, uint32_t events)
{
	connection->unseen = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	if (connection->counts)
		go_on(lane, connection, hotsend_next(&connection->send, connection->fd));
	else
		receive(lane, connection);
}

/* ---- a lane ---- */

static void admit(struct lane *lane, struct connection *connection)
{
	bool unloaded = connection->unloaded;

	link_in(lane, connection);
	connection->active_s = lane->now_s;
	connection->unloaded = false;
	if (unloaded)
		go_on(lane, connection, connection->ending);
	else if (connection->spoilt)
		refuse_what_follows(lane, connection);
	else if (!watch(lane, connection, REQUESTS))
		drop(lane, connection, SENDING_DONE);
}

static void take_posts(struct lane *lane)
{
	struct post *next;

	for (struct post *post = loop_collect(&lane->loop); post; post = next) {
		next = post->next;
		admit(lane, (struct connection *)((char *)post - offsetof(struct connection, post)));
	}
}

static void hand_on_all_idle(struct lane *lane)
{
	struct connection *next;

	for (struct connection *connection = lane->first; connection; connection = next) {
		next = connection->next;
		if (!connection->counts)
			hand_on(lane, connection, NULL, NULL);
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

static bool is_stale(const struct lane *lane, const struct connection *connection)
{
	const struct front_settings *settings = &lane->express->traffic->settings;
	int64_t limit_s = connection->looked ? settings->head_timeout_s : settings->idle_timeout_s;

	return limit_s && lane->now_s - connection->active_s > limit_s;
}

/* Once a second. */
static void sweep(struct lane *lane)
{
	int64_t idlest_s = INT64_MAX;
	struct connection *next;

	for (struct connection *connection = lane->first; connection; connection = next) {
		next = connection->next;
		if (is_stale(lane, connection)) {
			drop(lane, connection, SENDING_LATE);
			continue;
		}
		if (connection->active_s < lane->now_s)
			take_answered(lane, connection);
		if (!connection->counts && connection->active_s < idlest_s)
			idlest_s = connection->active_s;
	}
	atomic_store_explicit(&lane->idlest_s, idlest_s, memory_order_relaxed);
}

/* Ends the connection that has asked for nothing for the longest time, and publishes the next one's age. */
static void make_room(struct lane *lane)
{
	struct connection *idlest = NULL;
	int64_t next_s = INT64_MAX;

	for (struct connection *connection = lane->first; connection; connection = connection->next) {
		if (connection->counts || lane->now_s - connection->active_s < CROWDED_IDLE_S)
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
		drop(lane, idlest, SENDING_LATE);
	}
	atomic_store_explicit(&lane->idlest_s, next_s, memory_order_relaxed);
}

/* Before anything is served: an answer must not be dated before what it tells of. True: a second has passed.
 */
static bool read_clocks(struct lane *lane)
{
	int64_t date_s = clock_now_s();

	if (date_s == lane->date_s)
		return false;
	lane->date_s = date_s;
	lane->now_s = clock_monotonic_ms() / 1000;
	hotsend_set_date(&lane->desk, date_s);
	return true;
}

static void work(struct lane *lane)
{
	struct epoll_event events[EVENTS];
	bool woken;
	int count = loop_wait(&lane->loop, events, EVENTS, TICK_MS, &woken);
	bool second_passed = read_clocks(lane);

	/* What may end other connections than the event's own comes when all events are served. */
	for (int i = 0; i < count; i++)
		serve(lane, events[i].data.ptr, events[i].events);
	if (second_passed)
		sweep(lane);
	if (!woken)
		return;
	take_posts(lane);
	if (atomic_exchange(&lane->crowded, false))
		make_room(lane);
	if (atomic_load(&lane->express->ending))
		note_end(lane);
}

static void *run(void *argument)
{
	struct lane *lane = argument;

	while (!loop_is_shut(&lane->loop))
		work(lane);
	take_posts(lane);
	while (lane->first)
		drop(lane, lane->first, SENDING_STOPPED);
	return NULL;
}

/* ---- all of them ---- */

static bool open_lane(struct express *express, struct lane *lane, struct err *err)
{
	const struct thread_plan plan = {.name = "express", .role = THREAD_LOOP, .run = run, .context = lane};

	lane->express = express;
	express->lane_count++;
	return loop_open(&lane->loop, err) && loop_start(&lane->loop, &plan, err);
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
		express_stop(express);
		express_destroy(express);
		return false;
	}
	*out = express;
	return true;
}

bool express_take(struct express *express, int fd, const struct sockaddr_storage *address, socklen_t length,
	enum err_code spoilt)
{
	struct connection *connection = mem_zero(1, sizeof *connection);
	unsigned next = atomic_fetch_add_explicit(&express->next, 1, memory_order_relaxed);
	struct lane *lane = &express->lanes[next % express->lane_count];
	const int on = 1;

	/* A head that waits for its body says so (MSG_MORE); nothing else is worth waiting for. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	connection->fd = fd;
	connection->spoilt = spoilt;
	connection->lane = lane;
	connection->cargo.ops = &cargo_ops;
	connection->cargo.socket = fd;
	connection->looks_past = look_past(connection);
	connection->address = *address;
	connection->address_length = length;
	if (loop_offer(&lane->loop, &connection->post))
		return true;
	free(connection);
	return false;
}

void express_make_room(struct express *express)
{
	struct lane *idlest = &express->lanes[0];

	for (unsigned i = 1; i < express->lane_count; i++) {
		if (atomic_load_explicit(&express->lanes[i].idlest_s, memory_order_relaxed) <
			atomic_load_explicit(&idlest->idlest_s, memory_order_relaxed))
			idlest = &express->lanes[i];
	}
	atomic_store(&idlest->crowded, true);
	loop_wake(&idlest->loop);
}

/* A lane may be about to begin an answer that counts as running only when it has to wait: so each lane counts
 * as one until it knows. */
void express_end(struct express *express)
{
	for (unsigned i = 0; i < express->lane_count; i++)
		traffic_enter(express->traffic);
	atomic_store(&express->ending, true);
	for (unsigned i = 0; i < express->lane_count; i++)
		loop_wake(&express->lanes[i].loop);
}

void express_stop(struct express *express)
{
	if (!express)
		return;
	for (unsigned i = 0; i < express->lane_count; i++)
		loop_shut(&express->lanes[i].loop);
	for (unsigned i = 0; i < express->lane_count; i++)
		loop_join(&express->lanes[i].loop);
}

void express_destroy(struct express *express)
{
	if (!express)
		return;
	for (unsigned i = 0; i < express->lane_count; i++)
		loop_close(&express->lanes[i].loop);
	free(express->lanes);
	free(express);
}
