/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/tls/tls_thread.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/container.h"
#include "server/metrics.h"

/* Of each change once. */
enum { CHANGES = EPOLLIN | EPOLLOUT | EPOLLRDHUP | (int)EPOLLET };

void tls_thread_init(struct tls_thread *thread)
{
	thread->loopback.listen_fd = -1;
	for (enum stage stage = 0; stage < STAGE_COUNT; stage++)
		ring_init(&thread->rows[stage]);
	ring_init(&thread->ready);
	ring_init(&thread->shaking);
	atomic_init(&thread->oldest_s, INT64_MAX);
}

struct client *tls_thread_of_row(struct ring *row)
{
	return CONTAINER_OF(row, struct client, row);
}

struct client *tls_thread_of_ready(struct ring *ready)
{
	return CONTAINER_OF(ready, struct client, ready);
}

static bool is_greeting(const struct client *client)
{
	return client->stage < STAGE_OPEN;
}

void tls_thread_enter(struct tls_thread *thread, struct client *client, enum stage stage)
{
	ring_leave(&client->row);
	ring_append(&thread->rows[stage], &client->row);
	client->stage = stage;
	client->since_s = thread->now_s;
	client->active_s = thread->now_s;
}

void tls_thread_give_turn(struct tls_thread *thread, struct client *client)
{
	if (ring_is_alone(&client->ready))
		ring_append(is_greeting(client) ? &thread->shaking : &thread->ready, &client->ready);
}

bool tls_thread_watch(const struct tls_thread *thread, int fd, struct tag *tag)
{
	return loop_watch(&thread->loop, EPOLL_CTL_ADD, fd, CHANGES, tag);
}

void tls_thread_count_out(const struct tls_thread *thread)
{
	thread->exits->closed(thread->exits->context);
}

/* Whoever was not told that nothing more will come is not to believe it. */
void tls_thread_end(struct tls_thread *thread, struct client *client)
{
	ring_leave(&client->row);
	ring_leave(&client->ready);
	client->pump.broken |= !is_greeting(client) && !client->pump.client_shut;
	pump_finish(&client->pump);
	if (is_greeting(client)) {
		metric_add(METRIC_HANDSHAKES_RUNNING, -1);
		metric_add(METRIC_HANDSHAKES_FAILED, 1);
	}
	if (client->stage == STAGE_LEAVING)
		thread->leaving--;
	else
		tls_thread_count_out(thread);
	free(client);
}

void tls_thread_end_all(struct tls_thread *thread, enum stage stage)
{
	while (!ring_is_alone(&thread->rows[stage]))
		tls_thread_end(thread, tls_thread_of_row(thread->rows[stage].next));
}
