/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread of the fast path and the connections that it has: what it waits for, what it has looked at, how
 * they leave, and which of them have been idle too long. Everything is called on the thread itself. */
#ifndef SERVER_HTTP_FAST_FAST_THREAD_H
#define SERVER_HTTP_FAST_FAST_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "common/err.h"
#include "common/list.h"
#include "server/http/exchange/in_flight.h"
#include "server/http/fast/fast_connection.h"
#include "server/http/fast/fast_exits.h"
#include "server/http/fast/hit.h"
#include "server/http/loop.h"

/* Of each change once: looking again at what was just served would cost as much as it tells. */
enum { FAST_REQUESTS = EPOLLIN | EPOLLRDHUP | (int)EPOLLET };

/* What all threads have in common. */
struct fast_shared {
	struct in_flight *in_flight;
	struct fast_path_exits exits;
	_Atomic bool ending; /* nothing new is begun */
};

struct fast_thread {
	struct loop loop;
	struct fast_shared *shared;
	_Atomic bool crowded;     /* one connection is to make room */
	_Atomic int64_t idlest_s; /* since when its idlest connection has been so */
	struct list connections;  /* from here on the thread's own */
	bool ended;               /* has begun its last answer */
	int64_t now_s;
	int64_t date_s;
	struct hit_desk desk;
	char in[FAST_LOOK + 1];
};

/* Changes what is waited for; 0: nothing. False: it cannot be, and the connection has to end. */
bool fast_thread_watch(struct fast_thread *thread, struct fast_connection *connection, uint32_t events);

/* The connection is the thread's from now on; and is nobody's, as it is to be another's. */
void fast_thread_take(struct fast_thread *thread, struct fast_connection *connection);
void fast_thread_lend(struct fast_thread *thread, struct fast_connection *connection);

/* What has come, up to this much, into thread->in, with a NUL behind it. 0: nothing yet, or the connection
 * was dropped. */
size_t fast_thread_look(struct fast_thread *thread, struct fast_connection *connection, size_t most);

/* From the head's first byte on, wherever looks have come to. */
size_t fast_thread_look_again(struct fast_thread *thread, struct fast_connection *connection);

/* The reply is sent, or never will be. */
void fast_thread_finish_answer(
	struct fast_thread *thread, struct fast_connection *connection, enum sending ending);

/* The ends of a connection, which is gone then: it is closed; handed on, with its head or NULL both; refused,
 * and seen off; seen off, as more may come of it that must not take its last answer away. */
void fast_thread_drop(struct fast_thread *thread, struct fast_connection *connection, enum sending ending);
void fast_thread_hand_on(struct fast_thread *thread, struct fast_connection *connection, const char *head,
	const struct wire_heads *heads);
void fast_thread_refuse(
	struct fast_thread *thread, struct fast_connection *connection, const struct err *err);
void fast_thread_see_off(struct fast_thread *thread, struct fast_connection *connection);

/* Before anything is served: an answer must not be dated before what it tells of. True: a second has passed.
 */
bool fast_thread_read_clocks(struct fast_thread *thread);

/* Once a second: closes what has been idle, or has sent a head, for too long. */
void fast_thread_sweep(struct fast_thread *thread);

/* Closes the connection that has asked for nothing for the longest time, and publishes the next one's age. */
void fast_thread_make_room(struct fast_thread *thread);

/* Hands on all that wait; what is being sent goes on. */
void fast_thread_hand_on_idle(struct fast_thread *thread);

#endif
