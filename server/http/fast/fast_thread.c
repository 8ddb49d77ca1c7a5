/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/fast_thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/own.h"
#include "server/http/delivery.h"
#include "server/http/fast/direct.h"
#include "server/http/fast/refusal.h"
#include "server/http/request_line.h"
#include "server/metrics.h"

/* Who asked for something less long ago is not idle, however many wait for room. */
enum { CROWDED_IDLE_S = 2 };

/* ---- what is waited for, and looked at ---- */

bool fast_thread_watch(struct fast_thread *thread, struct fast_connection *connection, uint32_t events)
{
	int operation = !connection->watched ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	loop_expect(&thread->loop);
	if (connection->watched == events && !connection->unseen)
		return true;
	connection->watched = events;
	connection->unseen = false;
	return loop_watch(&thread->loop, operation, connection->fd, events, connection);
}

void fast_thread_take(struct fast_thread *thread, struct fast_connection *connection)
{
	loop_expect(&thread->loop);
	list_prepend(&thread->connections, &connection->link);
	connection->active_s = thread->now_s;
}

void fast_thread_lend(struct fast_thread *thread, struct fast_connection *connection)
{
	loop_expect(&thread->loop);
	(void)fast_thread_watch(thread, connection, 0);
	list_remove(&connection->link);
}

static bool is_nothing_yet(int reason)
{
	return reason == EAGAIN || reason == EINTR;
}

size_t fast_thread_look(struct fast_thread *thread, struct fast_connection *connection, size_t most)
{
	ssize_t got = recv(connection->fd, thread->in, most, MSG_PEEK);

	loop_expect(&thread->loop);
	if (got < 0 && is_nothing_yet(errno))
		return 0;
	if (got <= 0) {
		fast_thread_drop(thread, connection, SENDING_DONE);
		return 0;
	}
	thread->in[got] = '\0';
	return (size_t)got;
}

size_t fast_thread_look_again(struct fast_thread *thread, struct fast_connection *connection)
{
	loop_expect(&thread->loop);
	fast_connection_take_answered(connection, thread->in);
	if (connection->looks_past)
		(void)fast_connection_look_past(connection);
	return fast_thread_look(thread, connection, FAST_LOOK);
}

/* ---- how they leave ---- */

void fast_thread_finish_answer(
	struct fast_thread *thread, struct fast_connection *connection, enum sending ending)
{
	bool counts_all = ending == SENDING_DONE || !connection->send.reply;
	int64_t unconfirmed = counts_all ? 0 : delivery_unconfirmed(connection->fd);

	loop_expect(&thread->loop);
	direct_finish(TAKE(connection->direct), &connection->send, ending, unconfirmed);
	hit_finish(&connection->send, (const struct sockaddr *)&connection->address, ending, unconfirmed);
	if (connection->counts)
		in_flight_leave(thread->shared->in_flight);
	connection->counts = false;
}

/* What is closed with bytes unread is reset, and the client might lose its answer. */
void fast_thread_drop(struct fast_thread *thread, struct fast_connection *connection, enum sending ending)
{
	const struct fast_path_exits *exits = &thread->shared->exits;

	loop_expect(&thread->loop);
	if (connection->direct && direct_is_cut(connection->direct, ending))
		fast_connection_cut(connection);
	fast_thread_finish_answer(thread, connection, ending);
	fast_connection_enter(connection, FAST_CLOSED);
	connection->answered += connection->looked;
	fast_connection_take_answered(connection, thread->in);
	list_remove(&connection->link);
	(void)close(connection->fd);
	free(connection);
	exits->closed(exits->context);
}

/* Takes what was answered out of its socket, which is another's from now on. */
static void part_with(
	struct fast_thread *thread, struct fast_connection *connection, enum fast_state where_to)
{
	loop_expect(&thread->loop);
	fast_connection_enter(connection, where_to);
	fast_connection_take_answered(connection, thread->in);
	fast_thread_lend(thread, connection);
}

void fast_thread_hand_on(struct fast_thread *thread, struct fast_connection *connection, const char *head,
	const struct wire_heads *heads)
{
	const struct fast_path_exits *exits = &thread->shared->exits;

	part_with(thread, connection, FAST_HANDED_ON);
	exits->hand_on(exits->context, connection->fd, &connection->address, connection->address_length, head,
		heads);
	free(connection);
}

/* An answer of this size fits into a socket that has nothing to send. */
void fast_thread_refuse(struct fast_thread *thread, struct fast_connection *connection, const struct err *err)
{
	const struct fast_path_exits *exits = &thread->shared->exits;
	bool is_head = request_line_method(thread->in, FAST_LOOK) == METHOD_HEAD;

	part_with(thread, connection, FAST_SEEN_OFF);
	refusal_send(connection->fd, (const struct sockaddr *)&connection->address, thread->desk.date,
		is_head, err);
	exits->see_off(exits->context, connection->fd);
	free(connection);
}

void fast_thread_see_off(struct fast_thread *thread, struct fast_connection *connection)
{
	const struct fast_path_exits *exits = &thread->shared->exits;

	part_with(thread, connection, FAST_SEEN_OFF);
	(void)shutdown(connection->fd, SHUT_WR);
	exits->see_off(exits->context, connection->fd);
	free(connection);
}

void fast_thread_hand_on_idle(struct fast_thread *thread)
{
	loop_expect(&thread->loop);
	LIST_EACH (struct fast_connection, connection, link, &thread->connections) {
		if (!fast_connection_is_busy(connection))
			fast_thread_hand_on(thread, connection, NULL, NULL);
	}
}

/* ---- time ---- */

bool fast_thread_read_clocks(struct fast_thread *thread)
{
	int64_t date_s = clock_now_s();

	if (date_s == thread->date_s)
		return false;
	thread->date_s = date_s;
	thread->now_s = clock_monotonic_ms() / 1000;
	hit_set_date(&thread->desk, date_s);
	return true;
}

static bool is_stale(const struct fast_thread *thread, const struct fast_connection *connection)
{
	const struct front_settings *settings = &thread->shared->in_flight->settings;
	int64_t limit_s =
		connection->state == FAST_HEAD ? settings->head_timeout_s : settings->idle_timeout_s;

	return limit_s && !fast_connection_is_suspended(connection) &&
	       thread->now_s - connection->active_s > limit_s;
}

void fast_thread_sweep(struct fast_thread *thread)
{
	int64_t idlest_s = INT64_MAX;

	loop_expect(&thread->loop);
	LIST_EACH (struct fast_connection, connection, link, &thread->connections) {
		if (is_stale(thread, connection)) {
			fast_thread_drop(thread, connection, SENDING_LATE);
			continue;
		}
		if (connection->active_s < thread->now_s)
			fast_connection_take_answered(connection, thread->in);
		if (!fast_connection_is_busy(connection) && connection->active_s < idlest_s)
			idlest_s = connection->active_s;
	}
	atomic_store_explicit(&thread->idlest_s, idlest_s, memory_order_relaxed);
}

void fast_thread_make_room(struct fast_thread *thread)
{
	struct fast_connection *idlest = NULL;
	int64_t next_s = INT64_MAX;

	loop_expect(&thread->loop);
	LIST_EACH (struct fast_connection, connection, link, &thread->connections) {
		if (fast_connection_is_busy(connection) ||
			thread->now_s - connection->active_s < CROWDED_IDLE_S)
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
		fast_thread_drop(thread, idlest, SENDING_LATE);
	}
	atomic_store_explicit(&thread->idlest_s, next_s, memory_order_relaxed);
}
