/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/tls/tls_thread.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/invariant.h"
#include "common/list.h"
#include "server/metrics.h"

/* Of each change once. */
enum { CHANGES = EPOLLIN | EPOLLOUT | EPOLLRDHUP | (int)EPOLLET };

void tls_thread_init(struct tls_thread *thread)
{
	thread->loopback.listen_fd = -1;
	for (enum stage stage = 0; stage < STAGE_COUNT; stage++)
		list_init(&thread->rows[stage]);
	list_init(&thread->ready);
	list_init(&thread->shaking);
	atomic_init(&thread->oldest_s, INT64_MAX);
}

static bool is_greeting(const struct client *client)
{
	return client->stage < STAGE_OPEN;
}

void tls_thread_enter(struct tls_thread *thread, struct client *client, enum stage stage)
{
	list_remove(&client->row);
	list_append(&thread->rows[stage], &client->row);
	client->stage = stage;
	client->since_s = thread->now_s;
	client->active_s = thread->now_s;
}

void tls_thread_give_turn(struct tls_thread *thread, struct client *client)
{
	if (!list_holds(&client->ready))
		list_append(is_greeting(client) ? &thread->shaking : &thread->ready, &client->ready);
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
	list_remove(&client->row);
	list_remove(&client->ready);
	client->pump.broken |= !is_greeting(client) && !client->pump.client_shut;
	pump_finish(&client->pump);
	if (is_greeting(client)) {
		metric_add(METRIC_HANDSHAKES_RUNNING, -1);
		metric_add(METRIC_HANDSHAKES_FAILED, 1);
	}
	INVARIANT(client->stage != STAGE_LEAVING || thread->leaving > 0);
	if (client->stage == STAGE_LEAVING)
		thread->leaving--;
	else
		tls_thread_count_out(thread);
	free(client);
}

void tls_thread_end_all(struct tls_thread *thread, enum stage stage)
{
	LIST_EACH (struct client, client, row, &thread->rows[stage])
		tls_thread_end(thread, client);
}
