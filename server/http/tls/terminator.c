/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/tls/terminator.h"

#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"
#include "server/http/tls/greeting.h"
#include "server/http/tls/tls_thread.h"
#include "server/metrics.h"

enum { EVENTS = 64, TICK_MS = 1000, STOP_TICK_MS = 20, STOP_MS = 3000 };

/* A handshake costs more than all else here: so many, then those who have made theirs have their turn. */
enum { SHAKES_A_ROUND = 4 };

enum { CROWDED_S = 2, MEETING_S = 10, LEAVING_S = 60, LEAVING_QUIET_S = 5 };

/* After whoever owns the far end has lost patience, who knows what was asked for. */
enum { PATIENCE_MORE_S = 2 };

struct terminator {
	struct terminator_settings settings;
	struct terminator_exits exits;
	struct credentials *credentials;
	unsigned thread_count;
	_Atomic unsigned next; /* the thread that is given the next connection */
	struct tls_thread *threads;
};

/* ---- behind the handshake ---- */

/* Those who were told the end and do not end have no place, but cost something all the same. */
static void let_leave(struct tls_thread *thread, struct client *client)
{
	const struct terminator_settings *settings = thread->settings;

	tls_thread_enter(thread, client, STAGE_LEAVING);
	tls_thread_count_out(thread);
	if (++thread->leaving > settings->leaving_max / settings->threads)
		tls_thread_end(thread, LIST_FIRST(struct client, row, &thread->rows[STAGE_LEAVING]));
}

/* Behind what the client does not take, the end itself cannot be read, nor always be seen. */
static void stand(struct tls_thread *thread, struct client *client)
{
	const struct pump *pump = &client->pump;
	enum stage stage = pump->near_ended || pump->near_closing ? STAGE_ENDING
			   : pump->down.bytes                     ? STAGE_STALLED
								  : STAGE_OPEN;

	if (stage != client->stage)
		tls_thread_enter(thread, client, stage);
}

static void move(struct tls_thread *thread, struct client *client)
{
	struct pump *pump = &client->pump;
	uint64_t moved_bytes = pump->moved_bytes;
	enum pump_state state = pump_move(pump, thread->block);

	if (pump->moved_bytes != moved_bytes)
		client->active_s = thread->now_s;
	if (state == PUMP_OVER) {
		tls_thread_end(thread, client);
		return;
	}
	if (state == PUMP_BUSY)
		tls_thread_give_turn(thread, client);
	if (client->stage <= STAGE_STALLED)
		stand(thread, client);
	if (client->stage == STAGE_ENDING && pump->client_shut)
		let_leave(thread, client);
}

/* ---- a thread ---- */

/* Nothing ends here: the other socket's event may come in the same round. */
static void note(struct tls_thread *thread, const struct tag *tag, uint32_t events)
{
	struct client *client = tag->client;

	if (!client) {
		thread->callers = true;
		return;
	}
	if (tag->is_near)
		pump_note_near(&client->pump, events);
	else
		pump_note_client(&client->pump, events);
	tls_thread_give_turn(thread, client);
}

static void give_turns(struct tls_thread *thread, struct list *turns, int most,
	void (*act)(struct tls_thread *thread, struct client *client))
{
	struct list now;
	struct client *client;

	list_init(&now);
	for (; most > 0 && (client = LIST_TAKE(struct client, ready, turns)); most--)
		list_append(&now, &client->ready);
	while ((client = LIST_TAKE(struct client, ready, &now)))
		act(thread, client);
}

static void admit(struct tls_thread *thread, struct client *client)
{
	metric_add(METRIC_HANDSHAKES_RUNNING, 1);
	tls_thread_enter(thread, client, STAGE_SILENT);
	if (!tls_thread_watch(thread, client->pump.session.cable.fd, &client->client_tag))
		tls_thread_end(thread, client);
}

static void take_posts(struct tls_thread *thread)
{
	struct list posts;
	struct client *client;

	loop_collect(&thread->loop, &posts);
	while ((client = LIST_TAKE(struct client, post, &posts)))
		admit(thread, client);
}

/* Seconds in this stage, and without a byte; 0: any. */
struct patience {
	int64_t age_s;
	int64_t quiet_s;
};

static struct patience patience_of(const struct tls_thread *thread, enum stage stage)
{
	const struct terminator_settings *settings = thread->settings;
	int64_t more_s = settings->idle_timeout_s ? PATIENCE_MORE_S : 0;
	const struct patience patience[STAGE_COUNT] = {
		[STAGE_SILENT] = {.age_s = settings->idle_timeout_s},
		[STAGE_SHAKING] = {.age_s = settings->hello_timeout_s},
		[STAGE_MEETING] = {.age_s = MEETING_S},
		[STAGE_STALLED] = {.quiet_s = settings->idle_timeout_s + more_s},
		[STAGE_ENDING] = {.quiet_s = settings->idle_timeout_s},
		[STAGE_LEAVING] = {.age_s = LEAVING_S, .quiet_s = LEAVING_QUIET_S},
	};

	return patience[stage];
}

static void sweep_row(struct tls_thread *thread, enum stage stage)
{
	struct patience patience = patience_of(thread, stage);

	LIST_EACH (struct client, client, row, &thread->rows[stage]) {
		if ((patience.age_s && thread->now_s - client->since_s > patience.age_s) ||
			(patience.quiet_s && thread->now_s - client->active_s > patience.quiet_s))
			tls_thread_end(thread, client);
	}
}

/* Whoever is open is somebody else's business. */
static void sweep(struct tls_thread *thread)
{
	greeting_try_again(thread);
	for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
		if (stage != STAGE_OPEN)
			sweep_row(thread, stage);
	}
}

static struct client *find_oldest(struct tls_thread *thread)
{
	struct client *oldest = NULL;

	for (enum stage stage = STAGE_SILENT; stage <= STAGE_SHAKING; stage++) {
		struct client *first = LIST_FIRST(struct client, row, &thread->rows[stage]);

		if (first && (!oldest || first->since_s < oldest->since_s))
			oldest = first;
	}
	return oldest;
}

static void publish_oldest(struct tls_thread *thread)
{
	const struct client *oldest = find_oldest(thread);

	atomic_store_explicit(&thread->oldest_s, oldest ? oldest->since_s : INT64_MAX, memory_order_relaxed);
}

static void make_room(struct tls_thread *thread)
{
	struct client *oldest = find_oldest(thread);

	if (!oldest || thread->now_s - oldest->since_s < CROWDED_S)
		return;
	metric_add(METRIC_CROWDED_OUT, 1);
	tls_thread_end(thread, oldest);
}

/* Nobody is waited for who is open and idle. */
static int choose_timeout(struct tls_thread *thread)
{
	bool timed = false;

	if (!list_is_empty(&thread->ready) || !list_is_empty(&thread->shaking) || thread->callers)
		return 0;
	if (thread->stopping)
		return STOP_TICK_MS;
	for (enum stage stage = 0; stage < STAGE_COUNT; stage++)
		timed |= stage != STAGE_OPEN && !list_is_empty(&thread->rows[stage]);
	return timed ? TICK_MS : -1;
}

static void work(struct tls_thread *thread)
{
	struct epoll_event events[EVENTS];
	bool woken;
	int count = loop_wait(&thread->loop, events, EVENTS, choose_timeout(thread), &woken);
	int64_t now_s = clock_monotonic_ms() / 1000;
	bool second_passed = now_s != thread->now_s;

	thread->now_s = now_s;
	for (int i = 0; i < count; i++)
		note(thread, events[i].data.ptr, events[i].events);
	greeting_accept(thread);
	give_turns(thread, &thread->ready, EVENTS, move);
	give_turns(thread, &thread->shaking, SHAKES_A_ROUND, greeting_go_on);
	if (second_passed)
		sweep(thread);
	if (woken)
		take_posts(thread);
	if (woken && atomic_exchange(&thread->crowded, false))
		make_room(thread);
	publish_oldest(thread);
}

static bool has_to_pass_on(struct tls_thread *thread)
{
	bool any = false;

	for (enum stage stage = STAGE_OPEN; stage <= STAGE_ENDING; stage++)
		any |= !list_is_empty(&thread->rows[stage]);
	return any;
}

/* What the far ends left is passed on to whoever takes it. */
static void stop(struct tls_thread *thread)
{
	int64_t until_ms = clock_monotonic_ms() + STOP_MS;

	thread->stopping = true;
	take_posts(thread);
	for (enum stage stage = STAGE_SILENT; stage <= STAGE_MEETING; stage++)
		tls_thread_end_all(thread, stage);
	while (has_to_pass_on(thread) && clock_monotonic_ms() < until_ms)
		work(thread);
	for (enum stage stage = STAGE_OPEN; stage < STAGE_COUNT; stage++)
		tls_thread_end_all(thread, stage);
}

static void *run(void *argument)
{
	struct tls_thread *thread = argument;

	while (!loop_is_shut(&thread->loop))
		work(thread);
	stop(thread);
	return NULL;
}

/* ---- all of them ---- */

static bool open_thread(struct terminator *terminator, struct tls_thread *thread, struct err *err)
{
	const struct thread_plan plan = {.name = "tls", .role = THREAD_LOOP, .run = run, .context = thread};

	thread->settings = &terminator->settings;
	thread->exits = &terminator->exits;
	thread->credentials = terminator->credentials;
	tls_thread_init(thread);
	terminator->thread_count++;
	return loop_open(&thread->loop, err) && loopback_open(&thread->loopback, err) &&
	       (loop_watch(&thread->loop, EPOLL_CTL_ADD, thread->loopback.listen_fd, EPOLLIN | EPOLLET,
			&thread->loopback_tag) ||
		       err_set(err, ERR_INTERNAL, "connections within this machine cannot be watched")) &&
	       loop_start(&thread->loop, &plan, err);
}

bool terminator_open(const struct terminator_settings *settings, const struct terminator_exits *exits,
	struct terminator **out, struct err *err)
{
	AUTO_TERMINATOR struct terminator *terminator = mem_zero(1, sizeof *terminator);
	bool opened;

	terminator->settings = *settings;
	terminator->exits = *exits;
	terminator->threads = mem_zero(settings->threads, sizeof *terminator->threads);
	opened = credentials_open(settings->certificate, settings->key, &terminator->credentials, err);
	for (unsigned i = 0; i < settings->threads && opened; i++)
		opened = open_thread(terminator, &terminator->threads[i], err);
	if (!opened)
		return false;
	*out = TAKE(terminator);
	return true;
}

bool terminator_take(
	struct terminator *terminator, int fd, const struct sockaddr_storage *address, socklen_t length)
{
	struct client *client = mem_zero(1, sizeof *client);
	unsigned next = atomic_fetch_add_explicit(&terminator->next, 1, memory_order_relaxed);
	const int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	client->pump.session.cable.fd = fd;
	client->pump.near = -1;
	client->client_tag = (struct tag){client, false};
	client->near_tag = (struct tag){client, true};
	client->address = *address;
	client->address_length = length;
	if (loop_offer(&terminator->threads[next % terminator->thread_count].loop, &client->post))
		return true;
	free(client);
	return false;
}

bool terminator_make_room(struct terminator *terminator)
{
	struct tls_thread *oldest = &terminator->threads[0];
	int64_t now_s = clock_monotonic_ms() / 1000;

	for (unsigned i = 1; i < terminator->thread_count; i++) {
		if (atomic_load_explicit(&terminator->threads[i].oldest_s, memory_order_relaxed) <
			atomic_load_explicit(&oldest->oldest_s, memory_order_relaxed))
			oldest = &terminator->threads[i];
	}
	if (now_s - CROWDED_S < atomic_load_explicit(&oldest->oldest_s, memory_order_relaxed))
		return false;
	atomic_store(&oldest->crowded, true);
	loop_wake(&oldest->loop);
	return true;
}

void terminator_stop(struct terminator *terminator)
{
	if (!terminator)
		return;
	for (unsigned i = 0; i < terminator->thread_count; i++)
		loop_shut(&terminator->threads[i].loop);
	for (unsigned i = 0; i < terminator->thread_count; i++)
		loop_join(&terminator->threads[i].loop);
}

void terminator_destroy(struct terminator *terminator)
{
	if (!terminator)
		return;
	terminator_stop(terminator);
	for (unsigned i = 0; i < terminator->thread_count; i++) {
		loop_close(&terminator->threads[i].loop);
		loopback_close(&terminator->threads[i].loopback);
	}
	credentials_close(terminator->credentials);
	free(terminator->threads);
	free(terminator);
}
