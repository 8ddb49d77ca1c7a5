/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/container.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/http/exchange/chunked.h"
#include "server/http/exchange/sender_pool.h"
#include "tests/unit/held.h"

enum { SENDERS = 2, CLIENTS = 12, STEP = 70001, STEPS = 60, NEVER_S = 0 };

/* ---- a file that grows, lent ---- */

struct source {
	pthread_mutex_t mutex; /* guards what follows */
	int64_t length;
	enum feed_result end; /* FEED_WAIT while it grows */
	struct waiter *waiters;

	int fd;
};

static void source_init(struct source *source)
{
	char path[] = "/tmp/larder-test.XXXXXX";

	*source = (struct source){.end = FEED_WAIT, .fd = mkstemp(path)};
	assert_true(source->fd >= 0);
	assert_int_equal(unlink(path), 0);
	(void)pthread_mutex_init(&source->mutex, NULL);
}

static void source_finish(struct source *source)
{
	assert_null(source->waiters);
	(void)pthread_mutex_destroy(&source->mutex);
	(void)close(source->fd);
}

static char byte_at(int64_t offset)
{
	return (char)(offset * 7 + offset / 251);
}

static struct waiter *add(struct source *source, int64_t length, enum feed_result end)
{
	HELD(&source->mutex);

	source->length += length;
	source->end = end;
	return TAKE(source->waiters);
}

static void grow(struct source *source)
{
	AUTO_FREE char *bytes = mem_zero(1, STEP);
	struct err err;

	for (int i = 0; i < STEP; i++)
		bytes[i] = byte_at(source->length + i);
	assert_true(file_write_at(source->fd, bytes, STEP, source->length, &err));
	waiter_wake_all(add(source, STEP, FEED_WAIT));
}

static void end(struct source *source, enum feed_result result)
{
	waiter_wake_all(add(source, 0, result));
}

static enum feed_result lend(void *feed, int64_t offset, struct loan *loan, struct waiter *waiter)
{
	struct source *source = feed;
	HELD(&source->mutex);

	*loan = (struct loan){source->fd, source->length - offset};
	if (source->end == FEED_CUT || loan->length == 0) {
		if (source->end == FEED_WAIT)
			waiter_join(&source->waiters, waiter);
		return source->end;
	}
	return FEED_DATA;
}

static bool repay(void *feed, int64_t offset)
{
	struct source *source = feed;
	HELD(&source->mutex);

	return offset <= source->length;
}

static bool leave(void *feed, struct waiter *waiter)
{
	struct source *source = feed;
	HELD(&source->mutex);

	return waiter_leave(&source->waiters, waiter);
}

static const struct feed_ops feed_ops = {.leave = leave, .lend = lend, .repay = repay};

/* ---- one body ---- */

struct body {
	struct sender_job job;
	struct chunked chunked;
	struct waiter waiter;
	enum sending ending;
	sem_t ended;
	int client; /* the other end of its socket */
	struct source *source;
	char *received;
	size_t received_length;
};

static struct body *of_job(struct sender_job *job)
{
	return CONTAINER_OF(job, struct body, job);
}

static enum sending move(struct sender_job *job)
{
	struct body *body = of_job(job);

	return chunked_next(&body->chunked, job->socket, &body->waiter);
}

static bool leave_job(struct sender_job *job)
{
	struct body *body = of_job(job);

	return leave(body->source, &body->waiter);
}

static void job_ended(struct sender_job *job, enum sending ending)
{
	struct body *body = of_job(job);

	body->ending = ending;
	(void)shutdown(job->socket, SHUT_WR);
	(void)sem_post(&body->ended);
}

static const struct sender_job_ops job_ops = {move, leave_job, job_ended};

static void wake(struct waiter *waiter)
{
	struct body *body = CONTAINER_OF(waiter, struct body, waiter);

	sender_pool_wake(&body->job);
}

static void body_init(struct body *body, struct source *source)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	*body = (struct body){.job = {.ops = &job_ops, .socket = ends[0]},
		.chunked = {.ops = &feed_ops, .feed = source},
		.waiter = {.wake = wake},
		.client = ends[1],
		.source = source};
	(void)fcntl(ends[1], F_SETFL, 0);
	(void)sem_init(&body->ended, 0, 0);
}

static void body_finish(struct body *body)
{
	(void)close(body->job.socket);
	own_close(&body->client);
	(void)sem_destroy(&body->ended);
	free(body->received);
}

static enum sending await_ending(struct body *body)
{
	(void)sem_wait(&body->ended);
	return body->ending;
}

/* On a thread of its own: reads all that comes. */
static void *receive(void *argument)
{
	struct body *body = argument;
	size_t room = (size_t)STEP * STEPS * 2;
	ssize_t got;

	body->received = malloc(room);
	while ((got = read(body->client, body->received + body->received_length,
			room - body->received_length)) > 0)
		body->received_length += (size_t)got;
	return NULL;
}

/* How many bytes of the source stand in the chunks, all of them right; the chunks are whole but for the last.
 */
static int64_t decode(const struct body *body)
{
	const char *at = body->received;
	const char *stop = at + body->received_length;
	int64_t offset = 0;

	while (at < stop) {
		char *next;
		long long length = strtoll(at, &next, 16);

		assert_true(length > 0);
		assert_memory_equal(next, "\r\n", 2);
		at = next + 2;
		assert_true(at + length + 2 <= stop);
		for (long long i = 0; i < length; i++, offset++) {
			if (at[i] != byte_at(offset))
				fail_msg("another byte at %lld", (long long)offset);
		}
		assert_memory_equal(at + length, "\r\n", 2);
		at += length + 2;
	}
	return offset;
}

static struct sender_pool *open_sender_pools(unsigned idle_timeout_s)
{
	struct sender_pool *pool = NULL;
	struct err err;

	if (!sender_pool_open(SENDERS, 0, idle_timeout_s, &pool, &err))
		fail_msg("%s", err.text);
	return pool;
}

static void close_pool(struct sender_pool *pool)
{
	sender_pool_stop(pool);
	sender_pool_destroy(pool);
}

/* ---- the tests ---- */

static void many_follow_one_file_to_its_end(void **state)
{
	struct sender_pool *pool = open_sender_pools(NEVER_S);
	static struct body bodies[CLIENTS];
	pthread_t threads[CLIENTS];
	struct source source;

	source_init(&source);
	for (int i = 0; i < CLIENTS; i++) {
		body_init(&bodies[i], &source);
		assert_int_equal(pthread_create(&threads[i], NULL, receive, &bodies[i]), 0);
	}
	for (int i = 0; i < STEPS; i++) {
		if (i % (STEPS / CLIENTS) == 0)
			assert_true(sender_pool_submit(pool, &bodies[i / (STEPS / CLIENTS)].job));
		grow(&source);
	}
	end(&source, FEED_END);
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(await_ending(&bodies[i]), SENDING_DONE);
		(void)pthread_join(threads[i], NULL);
		assert_int_equal(decode(&bodies[i]), (int64_t)STEP * STEPS);
		body_finish(&bodies[i]);
	}
	close_pool(pool);
	source_finish(&source);
}

static void a_failed_source_ends_it(void **state)
{
	struct sender_pool *pool = open_sender_pools(NEVER_S);
	struct source source;
	struct body body;
	char first;

	source_init(&source);
	body_init(&body, &source);
	grow(&source);
	assert_true(sender_pool_submit(pool, &body.job));
	assert_int_equal(read(body.client, &first, 1), 1);
	end(&source, FEED_CUT);
	assert_int_equal(await_ending(&body), SENDING_CUT);
	body_finish(&body);
	close_pool(pool);
	source_finish(&source);
}

static void assert_client_may_go(int steps)
{
	struct sender_pool *pool = open_sender_pools(NEVER_S);
	struct source source;
	struct body body;
	char first;

	source_init(&source);
	body_init(&body, &source);
	for (int i = 0; i < steps; i++)
		grow(&source);
	assert_true(sender_pool_submit(pool, &body.job));
	assert_int_equal(read(body.client, &first, 1), 1);
	own_close(&body.client);
	body.client = -1;
	assert_int_equal(await_ending(&body), SENDING_GONE);
	body_finish(&body);
	close_pool(pool);
	source_finish(&source);
}

static void a_client_may_go_while_it_is_starved(void **state)
{
	assert_client_may_go(1);
}

static void a_client_may_go_while_it_is_sent_something(void **state)
{
	assert_client_may_go(STEPS);
}

static void who_takes_nothing_is_late(void **state)
{
	struct sender_pool *pool = open_sender_pools(1);
	struct source source;
	struct body body;

	source_init(&source);
	body_init(&body, &source);
	for (int i = 0; i < STEPS; i++)
		grow(&source);
	assert_true(sender_pool_submit(pool, &body.job));
	assert_int_equal(await_ending(&body), SENDING_LATE);
	body_finish(&body);
	close_pool(pool);
	source_finish(&source);
}

static void stopping_ends_all_and_takes_no_more(void **state)
{
	struct sender_pool *pool = open_sender_pools(NEVER_S);
	struct source growing;
	struct source large;
	struct body starved;
	struct body full;
	char first;

	source_init(&growing);
	source_init(&large);
	body_init(&starved, &growing);
	body_init(&full, &large);
	grow(&growing);
	for (int i = 0; i < STEPS; i++)
		grow(&large);
	assert_true(sender_pool_submit(pool, &starved.job));
	assert_true(sender_pool_submit(pool, &full.job));
	assert_int_equal(read(starved.client, &first, 1), 1);
	assert_int_equal(read(full.client, &first, 1), 1);
	sender_pool_stop(pool);
	assert_int_equal(await_ending(&starved), SENDING_STOPPED);
	assert_int_equal(await_ending(&full), SENDING_STOPPED);
	assert_false(sender_pool_submit(pool, &full.job));
	grow(&growing); /* nobody is woken any more */
	body_finish(&starved);
	body_finish(&full);
	sender_pool_destroy(pool);
	source_finish(&growing);
	source_finish(&large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_follow_one_file_to_its_end),
		cmocka_unit_test(a_failed_source_ends_it),
		cmocka_unit_test(a_client_may_go_while_it_is_starved),
		cmocka_unit_test(a_client_may_go_while_it_is_sent_something),
		cmocka_unit_test(who_takes_nothing_is_late),
		cmocka_unit_test(stopping_ends_all_and_takes_no_more),
	};

	/* As the daemon does: sendfile has no MSG_NOSIGNAL. */
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
