/* SPDX-License-Identifier: Apache-2.0
 *
 * Mutexes and reader-writer locks that know their place in the order of locks. In builds that check, taking
 * one out of order aborts, and so does a loop thread that takes one which others hold for long. */
#ifndef COMMON_LOCK_H
#define COMMON_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/own.h"

/* Where a lock stands: it may be taken by who holds locks of lower ranks only. Two of one rank are never held
 * together. */
struct lock_place {
	const char *name;
	unsigned rank;
	bool slow; /* held across work that takes long: no loop thread may wait for it */
};

struct lock {
	pthread_mutex_t mutex;
	const struct lock_place *place;
};

struct rwlock {
	pthread_rwlock_t rwlock;
	const struct lock_place *place;
};

/* The place must outlive the lock. */
void lock_init(struct lock *lock, const struct lock_place *place);
void lock_finish(struct lock *lock);

/* Builds that check: the order, before the lock itself, so that an order which can deadlock is told even
 * where it does not. */
#ifdef LARDER_CHECKS
void lock_note_taken(const struct lock_place *place);
void lock_note_given(const struct lock_place *place);
#else
#define lock_note_taken(place) ((void)(place))
#define lock_note_given(place) ((void)(place))
#endif

/* Stands at the beginning of what waits for somebody on the network, which neither a loop or disk thread may,
 * nor who holds a lock: in builds that check, they abort with these words. */
#ifdef LARDER_CHECKS
void may_call_out(const char *what);
#else
#define may_call_out(what) ((void)(what))
#endif

/* Stands at the beginning of what only who holds the lock may call: in builds that check, others abort. */
#ifdef LARDER_CHECKS
void lock_expect(const struct lock *lock);
#else
#define lock_expect(lock) ((void)(lock))
#endif

static inline void lock_acquire(struct lock *lock)
{
	lock_note_taken(lock->place);
	(void)pthread_mutex_lock(&lock->mutex);
}

/* Takes it unless another thread has it: then false. */
bool lock_try(struct lock *lock);

static inline void lock_release(struct lock *lock)
{
	lock_note_given(lock->place);
	(void)pthread_mutex_unlock(&lock->mutex);
}

static inline void rwlock_read(struct rwlock *lock)
{
	lock_note_taken(lock->place);
	(void)pthread_rwlock_rdlock(&lock->rwlock);
}

static inline void rwlock_write(struct rwlock *lock)
{
	lock_note_taken(lock->place);
	(void)pthread_rwlock_wrlock(&lock->rwlock);
}

static inline void rwlock_release(struct rwlock *lock)
{
	lock_note_given(lock->place);
	(void)pthread_rwlock_unlock(&lock->rwlock);
}

/* Waits for a condition under the lock, which is free meanwhile. Not for loop threads. */
void lock_wait(struct lock *lock, pthread_cond_t *condition);

/* The same until a time of clock_monotonic_ms() at the latest; false once that is over. */
bool lock_wait_until(struct lock *lock, pthread_cond_t *condition, int64_t until_ms);

void rwlock_init(struct rwlock *lock, const struct lock_place *place);
void rwlock_finish(struct rwlock *lock);

static inline void own_lock(struct lock **lock)
{
	if (*lock)
		lock_release(*lock);
}

static inline void own_rwlock(struct rwlock **lock)
{
	if (*lock)
		rwlock_release(*lock);
}

/* A name of its own for each lock that is held in one function. */
#define LOCKED_NAME_(line) locked_##line
#define LOCKED_NAME(line) LOCKED_NAME_(line)
#define HOLDS_(own, type, take, name, which) \
	AUTO(own) struct type *name = (which); \
	take(name)

/* Holds the lock until the end of the enclosing scope. */
#define LOCKED(which) HOLDS_(own_lock, lock, lock_acquire, LOCKED_NAME(__LINE__), which)
#define READ_LOCKED(which) HOLDS_(own_rwlock, rwlock, rwlock_read, LOCKED_NAME(__LINE__), which)
#define WRITE_LOCKED(which) HOLDS_(own_rwlock, rwlock, rwlock_write, LOCKED_NAME(__LINE__), which)

#endif
