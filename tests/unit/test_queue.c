/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buffer.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/registry/queue.h"
#include "tests/unit/held.h"

enum { WAITING_MAX = 8 };

static const _Atomic bool never = false;

/* Somebody who waits on a thread of his own, and writes down when it was his turn. */
struct waiting {
	struct queue *queue;
	struct ticket ticket;
	struct diary *diary;
	char name;
	pthread_t thread;
};

struct diary {
	pthread_mutex_t mutex; /* guards the text */
	char text[WAITING_MAX + 1];
	sem_t entered;
};

static void note(struct diary *diary, char name)
{
	HELD(&diary->mutex);

	diary->text[strlen(diary->text)] = name;
	(void)sem_post(&diary->entered);
}

static void *wait_and_note(void *argument)
{
	struct waiting *waiting = argument;
	struct err err;

	if (queue_await(waiting->queue, &waiting->ticket, &never, &err))
		note(waiting->diary, waiting->name);
	return NULL;
}

static void start(struct waiting *waiting, bool wanted)
{
	queue_join(waiting->queue, &waiting->ticket);
	if (wanted)
		queue_want(waiting->queue, &waiting->ticket);
	assert_int_equal(pthread_create(&waiting->thread, NULL, wait_and_note, waiting), 0);
}

static void enter(struct queue *queue, struct ticket *ticket, bool wanted)
{
	struct err err;

	*ticket = (struct ticket){0};
	queue_join(queue, ticket);
	if (wanted)
		queue_want(queue, ticket);
	assert_true(queue_await(queue, ticket, &never, &err));
}

/* Two that came first wait for something else: the only place is for others, and then theirs again. */
static void who_steps_aside_is_in_nobodys_way(void **state)
{
	AUTO_QUEUE struct queue *queue = queue_create(1, 600);
	struct diary diary = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	struct waiting waiting[] = {{.queue = queue, .diary = &diary, .name = 'b'},
		{.queue = queue, .diary = &diary, .name = 'c'}};
	struct ticket first;
	struct ticket second;
	struct err err;

	(void)state;
	assert_int_equal(sem_init(&diary.entered, 0, 0), 0);
	enter(queue, &first, true);
	queue_step_aside(queue, &first);
	enter(queue, &second, true);
	queue_step_aside(queue, &second);
	start(&waiting[0], true);
	(void)sem_wait(&diary.entered);
	start(&waiting[1], true);
	queue_leave(queue, &waiting[0].ticket);
	(void)sem_wait(&diary.entered);
	assert_string_equal(diary.text, "bc");
	queue_leave(queue, &waiting[1].ticket);
	assert_true(queue_await(queue, &first, &never, &err));
	assert_true(queue_await(queue, &first, &never, &err));
	queue_leave(queue, &first);
	assert_true(queue_await(queue, &second, &never, &err));
	queue_leave(queue, &second);
	for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++)
		(void)pthread_join(waiting[i].thread, NULL);
	(void)sem_destroy(&diary.entered);
}

/* Lets one after the other in, each as soon as the one before has left. */
static void clients_go_first_and_each_in_its_order(void **state)
{
	static const struct {
		char name;
		bool wanted;
	} arrivals[] = {{'a', false}, {'b', false}, {'C', true}, {'d', false}, {'E', true}, {'F', true}};
	enum { COUNT = sizeof arrivals / sizeof *arrivals };
	AUTO_QUEUE struct queue *queue = queue_create(1, 600);
	struct diary diary = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	struct waiting waiting[COUNT];
	struct ticket first;

	(void)state;
	assert_int_equal(sem_init(&diary.entered, 0, 0), 0);
	enter(queue, &first, true);
	for (size_t i = 0; i < COUNT; i++) {
		waiting[i] = (struct waiting){.queue = queue, .diary = &diary, .name = arrivals[i].name};
		start(&waiting[i], arrivals[i].wanted);
	}
	/* A client comes for what was only ordered in advance. */
	queue_want(queue, &waiting[3].ticket);
	queue_leave(queue, &first);
	for (size_t i = 0; i < COUNT; i++) {
		(void)sem_wait(&diary.entered);
		for (size_t j = 0; j < COUNT; j++) {
			if (waiting[j].name == diary.text[i])
				queue_leave(queue, &waiting[j].ticket);
		}
	}
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(pthread_join(waiting[i].thread, NULL), 0);
	assert_string_equal(diary.text, "CdEFab");
	(void)sem_destroy(&diary.entered);
}

/* The queue has no patience with clients: whoever may not enter at once is sent away. */
static bool may_enter(struct queue *queue, bool wanted)
{
	struct waiting waiting = {.queue = queue};
	struct err err;
	bool entered;

	queue_join(queue, &waiting.ticket);
	if (wanted)
		queue_want(queue, &waiting.ticket);
	entered = queue_await(queue, &waiting.ticket, &never, &err);
	queue_leave(queue, &waiting.ticket);
	return entered;
}

static void a_quarter_of_the_places_is_for_clients(void **state)
{
	static const struct {
		int64_t places;
		size_t ahead;
	} cases[] = {{1, 1}, {2, 1}, {3, 2}, {4, 3}, {8, 6}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_QUEUE struct queue *queue = queue_create(cases[i].places, 0);
		struct diary diary = {.mutex = PTHREAD_MUTEX_INITIALIZER};
		struct waiting late = {.queue = queue, .diary = &diary, .name = 'l'};
		struct ticket ahead[WAITING_MAX];

		assert_int_equal(sem_init(&diary.entered, 0, 0), 0);
		for (size_t j = 0; j < cases[i].ahead; j++)
			enter(queue, &ahead[j], false);
		assert_int_equal(may_enter(queue, true), cases[i].places > 1);
		/* One more in advance gets in once a client has come for one of the others. */
		start(&late, false);
		queue_want(queue, &ahead[0]);
		if (cases[i].places == 1)
			queue_leave(queue, &ahead[0]);
		(void)sem_wait(&diary.entered);
		assert_int_equal(pthread_join(late.thread, NULL), 0);
		queue_leave(queue, &late.ticket);
		for (size_t j = cases[i].places == 1 ? 1 : 0; j < cases[i].ahead; j++)
			queue_leave(queue, &ahead[j]);
		(void)sem_destroy(&diary.entered);
	}
}

static void clients_wait_for_so_long_only(void **state)
{
	AUTO_QUEUE struct queue *queue = queue_create(1, 0);
	struct ticket first;
	struct ticket second = {0};
	struct err err = {0};

	(void)state;
	enter(queue, &first, true);
	queue_join(queue, &second);
	queue_want(queue, &second);
	assert_false(queue_await(queue, &second, &never, &err));
	assert_int_equal(err.code, ERR_BUSY);
	assert_true(err.retry_after_s > 0);
	queue_leave(queue, &second);
	queue_leave(queue, &first);
}

struct stopping {
	struct queue *queue;
	struct ticket ticket;
	_Atomic bool stop;
	bool entered;
};

static void *wait_until_stopped(void *argument)
{
	struct stopping *stopping = argument;
	struct err err;

	stopping->entered = queue_await(stopping->queue, &stopping->ticket, &stopping->stop, &err);
	return NULL;
}

static void who_is_stopped_waits_no_longer(void **state)
{
	AUTO_QUEUE struct queue *queue = queue_create(1, 600);
	struct stopping stopping = {.queue = queue};
	struct ticket first;
	pthread_t thread;

	(void)state;
	enter(queue, &first, true);
	queue_join(queue, &stopping.ticket);
	assert_int_equal(pthread_create(&thread, NULL, wait_until_stopped, &stopping), 0);
	atomic_store(&stopping.stop, true);
	queue_wake(queue);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(stopping.entered);
	queue_leave(queue, &stopping.ticket);
	queue_leave(queue, &first);
}

/* How often a wait for a place was counted. */
static long long count_waits(void)
{
	static const char line[] = "larder_queue_wait_seconds_count{queue=\"fills\"} ";
	AUTO_BUFFER struct buffer text = {0};
	const char *at;

	metrics_write(&text);
	at = strstr(buffer_string(&text), line);
	assert_non_null(at);
	return strtoll(at + sizeof line - 1, NULL, 10);
}

static void a_wait_is_counted_once(void **state)
{
	AUTO_QUEUE struct queue *queue = queue_create(2, 0);
	long long before = count_waits();
	struct ticket ticket, unwanted;
	struct err err;

	(void)state;
	enter(queue, &ticket, true);
	assert_int_equal(count_waits(), before + 1);
	for (int i = 0; i < 3; i++) {
		queue_step_aside(queue, &ticket);
		assert_true(queue_await(queue, &ticket, &never, &err));
		queue_untry(queue, &ticket);
		assert_true(queue_try(queue, &ticket));
	}
	enter(queue, &unwanted, false);
	assert_int_equal(count_waits(), before + 1);
	queue_leave(queue, &unwanted);
	queue_leave(queue, &ticket);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_go_first_and_each_in_its_order),
		cmocka_unit_test(who_steps_aside_is_in_nobodys_way),
		cmocka_unit_test(a_quarter_of_the_places_is_for_clients),
		cmocka_unit_test(clients_wait_for_so_long_only),
		cmocka_unit_test(who_is_stopped_waits_no_longer),
		cmocka_unit_test(a_wait_is_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
