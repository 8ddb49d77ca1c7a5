/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/tls/greeting.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/own.h"
#include "server/http/fast/refusal.h"
#include "server/metrics.h"

/* Far ends that are accepted before others have their turn. */
enum { ACCEPTED = 64 };

static void open_up(struct tls_thread *thread, struct client *client, int far)
{
	const struct terminator_exits *exits = thread->exits;

	tls_thread_enter(thread, client, STAGE_OPEN);
	client->pump.client_in = true;
	list_remove(&client->ready);
	tls_thread_give_turn(thread, client);
	metric_add(METRIC_HANDSHAKES_RUNNING, -1);
	metric_add(METRIC_HANDSHAKES_DONE, 1);
	exits->deliver(exits->context, far, &client->address, client->address_length);
}

static struct client *find_meeting(struct tls_thread *thread, uint16_t port)
{
	LIST_EACH (struct client, client, row, &thread->rows[STAGE_MEETING]) {
		if (client->port == port)
			return client;
	}
	return NULL;
}

/* Strangers of this machine may knock here too. Without a descriptor, it waits for the next second. */
void greeting_accept(struct tls_thread *thread)
{
	uint16_t port;

	for (int i = 0; i < ACCEPTED && thread->callers; i++) {
		int far = loopback_accept(&thread->loopback, &port);
		struct client *client = far < 0 ? NULL : find_meeting(thread, port);

		thread->callers = far >= 0;
		if (client)
			open_up(thread, client, far);
		else
			own_close(&far);
	}
}

/* Tried again each second. */
static void note_shortage(int reason)
{
	struct err err;

	(void)err_errno(&err, reason,
		"connect within this machine (TLS takes three descriptors and a port for each connection)");
	log_event(LOG_LEVEL_WARN, "connection waits", "error", err.text, NULL);
}

static void knock(struct tls_thread *thread, struct client *client)
{
	struct pump *pump = &client->pump;

	thread->callers = true;
	pump->near = loopback_connect(&thread->loopback, &client->port);
	if (pump->near < 0)
		note_shortage(errno);
	else if (!tls_thread_watch(thread, pump->near, &client->near_tag))
		tls_thread_end(thread, client);
}

/* Mostly its far end is there at once. */
static void meet(struct tls_thread *thread, struct client *client)
{
	tls_thread_enter(thread, client, STAGE_MEETING);
	knock(thread, client);
	greeting_accept(thread);
}

/* An answer of this size fits into a socket that has nothing to send. */
static void refuse_plain(struct tls_thread *thread, struct client *client)
{
	const struct terminator_exits *exits = thread->exits;
	int fd = client->pump.session.cable.fd;
	struct err err;
	char date[64];

	(void)loop_watch(&thread->loop, EPOLL_CTL_DEL, fd, 0, &client->client_tag);
	client->pump.session.cable.fd = -1;
	(void)snprintf(date, sizeof date, "Date: %s\r\n", clock_http(clock_now_s()).text);
	(void)err_set(&err, ERR_BAD_REQUEST, "This address speaks TLS: ask https:// instead of http://.");
	refusal_send(fd, (const struct sockaddr *)&client->address, date, false, &err);
	exits->see_off(exits->context, fd);
	tls_thread_end(thread, client);
}

static void shake_hands(struct tls_thread *thread, struct client *client)
{
	struct pump *pump = &client->pump;

	cable_begin_turn(&pump->session.cable);
	switch (session_shake_hands(&pump->session)) {
	case SESSION_DONE:
		meet(thread, client);
		break;
	case SESSION_WANTS_READ:
		pump->client_in = cable_has_more(&pump->session.cable);
		if (pump->client_in)
			tls_thread_give_turn(thread, client);
		break;
	case SESSION_WANTS_WRITE:
		pump->client_out = false;
		break;
	case SESSION_PLAIN:
		refuse_plain(thread, client);
		break;
	default:
		tls_thread_end(thread, client);
	}
}

/* Who is silent costs a socket and no more. */
void greeting_go_on(struct tls_thread *thread, struct client *client)
{
	struct pump *pump = &client->pump;

	if (client->stage == STAGE_SILENT && !pump->client_in)
		return;
	if (client->stage == STAGE_SILENT) {
		tls_thread_enter(thread, client, STAGE_SHAKING);
		if (!session_begin(&pump->session, thread->credentials)) {
			tls_thread_end(thread, client);
			return;
		}
	}
	if (client->stage == STAGE_SHAKING)
		shake_hands(thread, client);
	else if (pump->near_closing)
		tls_thread_end(thread, client);
}

void greeting_try_again(struct tls_thread *thread)
{
	LIST_EACH (struct client, client, row, &thread->rows[STAGE_MEETING]) {
		thread->callers = true;
		if (client->pump.near < 0)
			knock(thread, client);
	}
}
