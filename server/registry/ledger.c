/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/ledger.h"

#include <search.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"ledger", RANK_LEDGER};

enum { FLUSH_S = 5 };

struct tally {
	struct name name;
	_Atomic int64_t downloads;
	_Atomic int64_t used_at; /* the last of them */
	struct ledger *ledger;
	unsigned holders; /* guarded by the ledger's mutex: a tally that is held stays in the tree */
};

struct ledger {
	struct lock mutex; /* guards entries and stop */
	pthread_cond_t stopping;
	void *entries; /* a tsearch tree of struct tally */
	bool stop;

	struct catalog *catalog;
	pthread_t thread;
};

static int compare(const void *a, const void *b)
{
	const struct tally *left = a;
	const struct tally *right = b;
	int by_handle = strcmp(left->name.handle, right->name.handle);

	if (by_handle != 0)
		return by_handle;
	if (left->name.version != right->name.version)
		return left->name.version < right->name.version ? -1 : 1;
	return (int)left->name.format - (int)right->name.format;
}

static struct tally *find_or_add(struct ledger *ledger, const struct name *name)
{
	const struct tally key = {.name = *name};
	struct tally **slot = tfind(&key, &ledger->entries, compare);

	if (!slot) {
		struct tally *tally = mem_zero(1, sizeof *tally);

		tally->name = *name;
		tally->ledger = ledger;
		slot = tsearch(tally, &ledger->entries, compare);
		if (!slot)
			abort();
	}
	return *slot;
}

void ledger_count(struct ledger *ledger, const struct name *name)
{
	LOCKED(&ledger->mutex);

	tally_count(find_or_add(ledger, name));
}

struct tally *ledger_open_tally(struct ledger *ledger, const struct name *name)
{
	LOCKED(&ledger->mutex);
	struct tally *tally = find_or_add(ledger, name);

	tally->holders++;
	return tally;
}

void tally_count(struct tally *tally)
{
	atomic_fetch_add_explicit(&tally->downloads, 1, memory_order_relaxed);
	atomic_store_explicit(&tally->used_at, clock_now_s(), memory_order_relaxed);
}

void tally_release(struct tally *tally)
{
	LOCKED(&tally->ledger->mutex);

	tally->holders--;
}

/* Takes what was counted: a tree of the caller's. Tallies that are held stay, and begin again. */
static void *take_counted(struct ledger *ledger)
{
	void *counted = NULL;
	void *held = NULL;
	LOCKED(&ledger->mutex);

	while (ledger->entries) {
		struct tally *tally = *(struct tally **)ledger->entries;
		struct tally *taken = tally;

		(void)tdelete(tally, &ledger->entries, compare);
		if (tally->holders > 0) {
			taken = mem_zero(1, sizeof *taken);
			taken->name = tally->name;
			taken->downloads = atomic_exchange(&tally->downloads, 0);
			taken->used_at = tally->used_at;
			if (!tsearch(tally, &held, compare))
				abort();
		}
		if (!tsearch(taken, &counted, compare))
			abort();
	}
	ledger->entries = held;
	return counted;
}

static void write_down(struct ledger *ledger, const struct tally *tally)
{
	struct err err;

	if (tally->downloads > 0 && !catalog_count_downloads(ledger->catalog, &tally->name, tally->downloads,
					    tally->used_at, &err))
		log_event(LOG_LEVEL_WARN, "downloads are not counted", "name", name_path(&tally->name).text,
			"why", err.text, NULL);
}

static void flush(struct ledger *ledger)
{
	void *counted = take_counted(ledger);

	while (counted) {
		struct tally *tally = *(struct tally **)counted;

		write_down(ledger, tally);
		(void)tdelete(tally, &counted, compare);
		free(tally);
	}
}

/* True when it is time to end. */
static bool sleep_until_flush(struct ledger *ledger)
{
	int64_t until_ms = clock_monotonic_ms() + 1000 * FLUSH_S;
	LOCKED(&ledger->mutex);

	while (!ledger->stop && lock_wait_until(&ledger->mutex, &ledger->stopping, until_ms))
		continue;
	return ledger->stop;
}

static void *run(void *argument)
{
	struct ledger *ledger = argument;

	while (!sleep_until_flush(ledger))
		flush(ledger);
	flush(ledger);
	return NULL;
}

bool ledger_create(struct catalog *catalog, struct ledger **out, struct err *err)
{
	struct ledger *ledger = mem_zero(1, sizeof *ledger);
	const struct thread_plan plan = {.name = "ledger", .run = run, .context = ledger};

	lock_init(&ledger->mutex, &lock_place);
	(void)pthread_cond_init(&ledger->stopping, NULL);
	ledger->catalog = catalog;
	if (!thread_start(&ledger->thread, &plan, err)) {
		free(ledger);
		return false;
	}
	*out = ledger;
	return true;
}

static void ask_to_stop(struct ledger *ledger)
{
	LOCKED(&ledger->mutex);

	ledger->stop = true;
	(void)pthread_cond_signal(&ledger->stopping);
}

void ledger_destroy(struct ledger *ledger)
{
	if (!ledger)
		return;
	ask_to_stop(ledger);
	thread_join(ledger->thread);
	(void)pthread_cond_destroy(&ledger->stopping);
	lock_finish(&ledger->mutex);
	free(ledger);
}
