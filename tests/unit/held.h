/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain mutexes of the tests' own, which have no place in the order of the daemon's locks. */
#ifndef TESTS_UNIT_HELD_H
#define TESTS_UNIT_HELD_H

#include <pthread.h>

#include "common/own.h"

static inline void own_held(pthread_mutex_t **mutex)
{
	if (*mutex)
		(void)pthread_mutex_unlock(*mutex);
}

/* Holds the mutex until the end of the enclosing scope. */
#define HELD(which) \
	AUTO(own_held) pthread_mutex_t *held_ = (which); \
	(void)pthread_mutex_lock(held_)

#endif
