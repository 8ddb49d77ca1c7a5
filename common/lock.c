/* SPDX-License-Identifier: Apache-2.0 */
#include "common/lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/thread.h"

#ifdef LARDER_CHECKS
enum { HELD_MAX = 16 };

/* What this thread holds, in the order in which it was taken. */
static _Thread_local const struct lock_place *held[HELD_MAX];
static _Thread_local unsigned held_count;

static void check_order(const struct lock_place *place)
{
	for (unsigned i = 0; i < held_count; i++) {
		if (held[i]->rank < place->rank)
			continue;
		(void)fprintf(stderr, "larder: the lock %s (%u) must not be taken while %s (%u) is held\n",
			place->name, place->rank, held[i]->name, held[i]->rank);
		abort();
	}
	if (held_count == HELD_MAX) {
		(void)fprintf(stderr, "larder: too many locks are held to take %s\n", place->name);
		abort();
	}
}

void lock_note_taken(const struct lock_place *place)
{
	if (place->slow)
		may_block(place->name);
	check_order(place);
	held[held_count++] = place;
}

void lock_expect(const struct lock *lock)
{
	for (unsigned i = 0; i < held_count; i++) {
		if (held[i] == lock->place)
			return;
	}
	(void)fprintf(stderr, "larder: this is only for who holds the lock %s\n", lock->place->name);
	abort();
}

void may_call_out(const char *what)
{
	may_block(what);
	if (thread_role() == THREAD_DISK) {
		(void)fprintf(stderr, "larder: a thread that others wait for must not wait for %s\n", what);
		abort();
	}
	if (held_count == 0)
		return;
	(void)fprintf(stderr, "larder: nobody may wait for %s while %s is held\n", what, held[0]->name);
	abort();
}

void lock_note_given(const struct lock_place *place)
{
	unsigned at = held_count;

	while (at > 0 && held[at - 1] != place)
		at--;
	if (at == 0) {
		(void)fprintf(stderr, "larder: the lock %s is given back by a thread that has not got it\n",
			place->name);
		abort();
	}
	for (held_count--; at <= held_count; at++)
		held[at - 1] = held[at];
}
#endif

void lock_init(struct lock *lock, const struct lock_place *place)
{
	(void)pthread_mutex_init(&lock->mutex, NULL);
	lock->place = place;
}

void lock_finish(struct lock *lock)
{
	(void)pthread_mutex_destroy(&lock->mutex);
}

bool lock_try(struct lock *lock)
{
	if (pthread_mutex_trylock(&lock->mutex) != 0)
		return false;
	lock_note_taken(lock->place);
	return true;
}

void lock_wait(struct lock *lock, pthread_cond_t *condition)
{
	may_block("a condition");
	(void)pthread_cond_wait(condition, &lock->mutex);
}

bool lock_wait_until(struct lock *lock, pthread_cond_t *condition, int64_t until_ms)
{
	const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

	may_block("a condition");
	return pthread_cond_clockwait(condition, &lock->mutex, CLOCK_MONOTONIC, &until) != ETIMEDOUT;
}

void rwlock_init(struct rwlock *lock, const struct lock_place *place)
{
	(void)pthread_rwlock_init(&lock->rwlock, NULL);
	lock->place = place;
}

void rwlock_finish(struct rwlock *lock)
{
	(void)pthread_rwlock_destroy(&lock->rwlock);
}
