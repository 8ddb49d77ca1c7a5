/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/depositing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/lock.h"
#include "common/mem.h"
#include "common/thread.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"depositing", RANK_DEPOSITING};

enum { THREAD_STACK_BYTES = 512 << 10 };

struct depositing {
	struct lock mutex; /* guards everything below up to the blank line */
	pthread_cond_t ended;
	bool over;
	struct waiter *waiters;
	bool done; /* else err */
	enum deposited deposited;
	struct err err;

	atomic_bool stop; /* nobody waits for it any more */
	struct committer *committer;
	struct spool *spool;
	const struct name *name;
	struct origin origin;
	const struct inspection *inspection;
	pthread_t thread;
};

static struct waiter *tell(
	struct depositing *depositing, bool done, enum deposited deposited, const struct err *err)
{
	LOCKED(&depositing->mutex);

	depositing->over = true;
	depositing->done = done;
	depositing->deposited = deposited;
	depositing->err = *err;
	(void)pthread_cond_broadcast(&depositing->ended);
	return TAKE(depositing->waiters);
}

static void *run(void *argument)
{
	struct depositing *depositing = argument;
	enum deposited deposited = DEPOSITED_NEW;
	struct err err = {0};
	bool done = committer_deposit(depositing->committer, depositing->spool, depositing->name,
		&depositing->origin, depositing->inspection, &deposited, &err);

	waiter_wake_all(tell(depositing, done, deposited, &err));
	return NULL;
}

static void free_depositing(struct depositing *depositing)
{
	(void)pthread_cond_destroy(&depositing->ended);
	lock_finish(&depositing->mutex);
	free(depositing);
}

bool depositing_start(struct committer *committer, struct spool *spool, const struct name *name,
	const struct origin *origin, const struct inspection *inspection, struct depositing **out,
	struct err *err)
{
	struct depositing *depositing = mem_zero(1, sizeof *depositing);
	const struct thread_plan plan = {
		.name = "deposit", .run = run, .context = depositing, .stack_bytes = THREAD_STACK_BYTES};

	lock_init(&depositing->mutex, &lock_place);
	(void)pthread_cond_init(&depositing->ended, NULL);
	depositing->committer = committer;
	depositing->spool = spool;
	depositing->name = name;
	depositing->origin = *origin;
	depositing->origin.stop = &depositing->stop;
	depositing->inspection = inspection;
	if (!thread_start(&depositing->thread, &plan, err)) {
		free_depositing(depositing);
		return false;
	}
	*out = depositing;
	return true;
}

bool depositing_await(struct depositing *depositing, struct waiter *waiter)
{
	LOCKED(&depositing->mutex);

	if (!depositing->over)
		waiter_join(&depositing->waiters, waiter);
	return !depositing->over;
}

bool depositing_leave(struct depositing *depositing, struct waiter *waiter)
{
	LOCKED(&depositing->mutex);

	return waiter_leave(&depositing->waiters, waiter);
}

bool depositing_result(struct depositing *depositing, enum deposited *out, struct err *err)
{
	LOCKED(&depositing->mutex);

	while (!depositing->over)
		lock_wait(&depositing->mutex, &depositing->ended);
	if (depositing->done)
		*out = depositing->deposited;
	else
		*err = depositing->err;
	return depositing->done;
}

void depositing_destroy(struct depositing *depositing)
{
	if (!depositing)
		return;
	atomic_store(&depositing->stop, true);
	thread_join(depositing->thread);
	free_depositing(depositing);
}
