/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/fast_answer.h"

#include <stdatomic.h>

#include "common/container.h"
#include "server/http/exchange/sender_pool.h"
#include "server/http/fast/direct.h"

/* An answer that has to wait counts until its end. */
static void count_in(struct fast_thread *thread, struct fast_connection *connection)
{
	if (!connection->counts && !connection->direct)
		in_flight_enter(thread->shared->in_flight);
	connection->counts = !connection->direct;
}

/* What would have to wait for the disk goes on where nobody else waits for it. */
static void load(struct fast_thread *thread, struct fast_connection *connection)
{
	count_in(thread, connection);
	fast_thread_lend(thread, connection);
	connection->send.patient = true;
	fast_connection_enter(connection, FAST_LOADING);
	if (sender_pool_submit(thread->shared->in_flight->cold_senders, &connection->job))
		return;
	fast_thread_take(thread, connection);
	fast_thread_drop(thread, connection, SENDING_STOPPED);
}

static void complete(struct fast_thread *thread, struct fast_connection *connection)
{
	bool closes = connection->send.closes;

	fast_thread_finish_answer(thread, connection, SENDING_DONE);
	fast_connection_enter(connection, FAST_WAITING);
	if (!closes && atomic_load_explicit(&thread->shared->ending, memory_order_relaxed))
		fast_thread_hand_on(thread, connection, NULL, NULL);
	else if (closes && in_flight_is_ending(thread->shared->in_flight))
		fast_thread_see_off(thread, connection);
	else if (closes || !fast_thread_watch(thread, connection, FAST_REQUESTS))
		fast_thread_drop(thread, connection, SENDING_DONE);
}

static void await_room(struct fast_thread *thread, struct fast_connection *connection)
{
	if (!fast_thread_watch(thread, connection, EPOLLOUT)) {
		fast_thread_drop(thread, connection, SENDING_BROKEN);
		return;
	}
	count_in(thread, connection);
	fast_connection_enter(connection, FAST_FULL);
}

static void feed(struct fast_thread *thread, struct fast_connection *connection);

static void go_on(struct fast_thread *thread, struct fast_connection *connection, enum sending sending)
{
	connection->active_s = thread->now_s;
	if (sending == SENDING_DONE && connection->direct && direct_is_to_feed(connection->direct))
		feed(thread, connection);
	else if (sending == SENDING_DONE)
		complete(thread, connection);
	else if (sending == SENDING_FULL)
		await_room(thread, connection);
	else if (sending == SENDING_COLD)
		load(thread, connection);
	else
		fast_thread_drop(thread, connection, sending);
}

void fast_answer_begin(struct fast_thread *thread, struct fast_connection *connection)
{
	fast_connection_enter(connection, FAST_ANSWERING);
	go_on(thread, connection, hit_first(&connection->send, &thread->desk, connection->fd));
}

void fast_answer_continue(struct fast_thread *thread, struct fast_connection *connection)
{
	fast_connection_enter(connection, FAST_ANSWERING);
	go_on(thread, connection, hit_next(&connection->send, connection->fd));
}

/* ---- on a thread of the sender pool ---- */

static struct fast_connection *of_job(struct sender_job *job)
{
	return CONTAINER_OF(job, struct fast_connection, job);
}

static enum sending advance_job(struct sender_job *job)
{
	return hit_next(&of_job(job)->send, job->socket);
}

static void job_ended(struct sender_job *job, enum sending ending)
{
	struct fast_connection *connection = of_job(job);

	connection->sent = ending;
	loop_post(&connection->thread->loop, &connection->post);
}

const struct sender_job_ops fast_answer_job_ops = {advance_job, NULL, job_ended};

/* ---- a request that a handler answers ---- */

static void end_feed(struct fast_thread *thread, struct fast_connection *connection)
{
	enum sending ending = direct_end_feed(connection->direct, &connection->send);

	if (ending == SENDING_DONE)
		fast_answer_continue(thread, connection);
	else
		fast_thread_drop(thread, connection, ending);
}

/* The head is out, and the rest the sender pool's. */
static void feed(struct fast_thread *thread, struct fast_connection *connection)
{
	bool arrived = false;

	fast_connection_enter(connection, FAST_FEEDING);
	if (!direct_feed(connection->direct, connection->fd, &arrived))
		fast_thread_drop(thread, connection, SENDING_STOPPED);
	else if (arrived)
		end_feed(thread, connection);
}

/* Its thread has seen to it. */
static void suspend(struct suspension *suspension)
{
}

static void resume(struct suspension *suspension)
{
	struct fast_connection *connection = suspension->connection;

	loop_post(&connection->thread->loop, &connection->post);
}

static int socket_of(const struct suspension *suspension)
{
	return ((const struct fast_connection *)suspension->connection)->fd;
}

static const struct suspension_ops suspension_ops = {suspend, resume, socket_of};

static void send_answer(struct fast_thread *thread, struct fast_connection *connection)
{
	if (direct_answer(connection->direct, &connection->send))
		fast_answer_begin(thread, connection);
	else
		fast_thread_drop(thread, connection, SENDING_GONE);
}

/* What comes meanwhile is looked at when it is answered. */
void fast_answer_call(struct fast_thread *thread, struct fast_connection *connection, size_t length,
	const struct wire_head *head)
{
	fast_connection_enter(connection, FAST_CALLING);
	connection->direct = direct_create(thread->shared->in_flight, thread->in, head,
		(const struct sockaddr *)&connection->address, &suspension_ops, connection);
	connection->looked = 0;
	connection->unseen |= head->length < length;
	if (head->length < length)
		direct_note_followed(connection->direct);
	fast_connection_note_answered(connection, head->length, thread->in);
	if (!direct_call(connection->direct))
		send_answer(thread, connection);
}

void fast_answer_resume(struct fast_thread *thread, struct fast_connection *connection)
{
	connection->active_s = thread->now_s;
	if (connection->state == FAST_CALLING) {
		send_answer(thread, connection);
	} else if (connection->state == FAST_FEEDING) {
		end_feed(thread, connection);
	} else {
		fast_thread_take(thread, connection);
		fast_connection_enter(connection, FAST_ANSWERING);
		go_on(thread, connection, connection->sent);
	}
}
