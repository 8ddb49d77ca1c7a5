/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/store_waits.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/mem.h"
#include "server/ranks.h"

enum { MOMENT_MS = 1000, RETRY_AFTER_S = 2 };

static const struct lock_place lock_place = {"store_waits", RANK_STORE_WAITS};

struct store_waits {
	struct lock mutex; /* guards since_ms */
	pthread_cond_t freed;
	size_t places;
	int64_t since_ms[]; /* 0: the place is free */
};

struct store_waits *store_waits_create(size_t workers)
{
	size_t places = workers > 1 ? workers / 2 : 1;
	struct store_waits *waits = mem_zero(1, sizeof *waits + places * sizeof waits->since_ms[0]);

	lock_init(&waits->mutex, &lock_place);
	(void)pthread_cond_init(&waits->freed, NULL);
	waits->places = places;
	return waits;
}

void store_waits_destroy(struct store_waits *waits)
{
	if (!waits)
		return;
	(void)pthread_cond_destroy(&waits->freed);
	lock_finish(&waits->mutex);
	free(waits);
}

static bool take(struct store_waits *waits, size_t *place)
{
	for (size_t i = 0; i < waits->places; i++) {
		if (waits->since_ms[i] == 0) {
			waits->since_ms[i] = clock_monotonic_ms();
			*place = i;
			return true;
		}
	}
	return false;
}

/* When who has waited longest for the store came. */
static int64_t first_ms(const struct store_waits *waits)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < waits->places; i++) {
		if (waits->since_ms[i] > 0 && waits->since_ms[i] < first)
			first = waits->since_ms[i];
	}
	return first;
}

bool store_waits_enter(struct store_waits *waits, size_t *place, struct err *err)
{
	int64_t until_ms = clock_monotonic_ms() + MOMENT_MS;
	LOCKED(&waits->mutex);

	while (!take(waits, place)) {
		int64_t now_ms = clock_monotonic_ms();

		if (now_ms >= until_ms || now_ms - first_ms(waits) >= MOMENT_MS) {
			(void)err_set(err, ERR_STORE_UNAVAILABLE,
				"the store of all nodes is slow to answer, and %zu requests wait for it "
				"already; try again in a moment",
				waits->places);
			err->retry_after_s = RETRY_AFTER_S;
			return false;
		}
		(void)lock_wait_until(&waits->mutex, &waits->freed, until_ms);
	}
	return true;
}

bool store_waits_try(struct store_waits *waits, size_t *place)
{
	LOCKED(&waits->mutex);

	return take(waits, place);
}

void store_waits_leave(struct store_waits *waits, size_t place)
{
	LOCKED(&waits->mutex);

	waits->since_ms[place] = 0;
	(void)pthread_cond_signal(&waits->freed);
}
