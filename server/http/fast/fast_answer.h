/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers on the fast path, from their first byte to the last: what the thread sends itself, what the sender
 * pool sends for it, and what a handler has to make first. Called on the connection's thread; the connection
 * may be gone when a function returns. */
#ifndef SERVER_HTTP_FAST_FAST_ANSWER_H
#define SERVER_HTTP_FAST_FAST_ANSWER_H

#include <stddef.h>

#include "server/http/fast/fast_connection.h"
#include "server/http/fast/fast_thread.h"
#include "server/http/fast/wirehead.h"

/* How jobs of the sender pool are done; each connection's. */
extern const struct sender_job_ops fast_answer_job_ops;

/* Sends the reply that connection->send has begun with. */
void fast_answer_begin(struct fast_thread *thread, struct fast_connection *connection);

/* FULL: the socket takes more. */
void fast_answer_continue(struct fast_thread *thread, struct fast_connection *connection);

/* Has the handler called for the head at the start of the length bytes in thread->in. */
void fast_answer_call(struct fast_thread *thread, struct fast_connection *connection, size_t length,
	const struct wire_head *head);

/* LOADING, CALLING or FEEDING: that is over. */
void fast_answer_resume(struct fast_thread *thread, struct fast_connection *connection);

#endif
