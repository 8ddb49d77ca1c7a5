/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/own.h"
#include "server/http/workers.h"
#include "tests/unit/held.h"

/* A gate that jobs wait at, and a count of those that went through. */
struct gate {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int arrived;
	bool open;
	int done;
};

struct visit {
	struct job job;
	struct gate *gate;
};

static void pass(struct job *job)
{
	struct gate *gate = ((struct visit *)job)->gate;
	HELD(&gate->mutex);

	gate->arrived++;
	(void)pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		(void)pthread_cond_wait(&gate->changed, &gate->mutex);
	gate->done++;
}

static void await_arrivals(struct gate *gate, int count)
{
	HELD(&gate->mutex);
	while (gate->arrived < count)
		(void)pthread_cond_wait(&gate->changed, &gate->mutex);
}

static void open_gate(struct gate *gate)
{
	HELD(&gate->mutex);
	gate->open = true;
	(void)pthread_cond_broadcast(&gate->changed);
}

static void test_the_queue_is_bounded(void **state)
{
	struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false, 0};
	struct visit visits[6];
	struct workers *workers = NULL;
	struct err err;

	for (int i = 0; i < 6; i++)
		visits[i] = (struct visit){{.run = pass}, &gate};
	assert_true(workers_create("worker", 2, 2, &workers, &err));
	assert_true(workers_submit(workers, &visits[0].job));
	assert_true(workers_submit(workers, &visits[1].job));
	await_arrivals(&gate, 2);
	assert_true(workers_submit(workers, &visits[2].job));
	assert_true(workers_submit(workers, &visits[3].job));
	assert_false(workers_submit(workers, &visits[4].job));
	workers_submit_always(workers, &visits[5].job);
	open_gate(&gate);
	/* destroy runs what is queued. */
	workers_destroy(workers);
	assert_int_equal(gate.done, 5);
}

static void test_a_job_may_queue_itself_again(void **state)
{
	struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, true, 0};
	struct visit visit = {{.run = pass}, &gate};
	struct workers *workers = NULL;
	struct err err;

	assert_true(workers_create("worker", 1, 1, &workers, &err));
	for (int i = 1; i <= 100; i++) {
		workers_submit_always(workers, &visit.job);
		await_arrivals(&gate, i);
	}
	workers_destroy(workers);
	assert_int_equal(gate.done, 100);
}

static void test_destroy_takes_null(void **state)
{
	workers_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_queue_is_bounded),
		cmocka_unit_test(test_a_job_may_queue_itself_again),
		cmocka_unit_test(test_destroy_takes_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
