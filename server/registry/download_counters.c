/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/download_counters.h"

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
#include "server/store/catalog/catalog_artifacts.h"

static const struct lock_place lock_place = {"counters", RANK_DOWNLOAD_COUNTERS};

/* What is written at once: each commit waits for the disk, and so does whoever publishes meanwhile. */
enum { FLUSH_S = 5, TOGETHER_MAX = 64 };

struct download_counter {
	struct name name;
	_Atomic int64_t downloads;
	_Atomic int64_t used_at; /* the last of them, or of other uses; 0: there was none */
	struct download_counters *counters;
	unsigned holders; /* guarded by the counters's mutex: a counter that is held stays in the tree */
};

struct download_counters {
	struct lock mutex; /* guards entries, stop and beside */
	pthread_cond_t stopping;
	void *entries; /* a tsearch tree of struct download_counter */
	bool stop;
	struct counters_beside beside;

	struct catalog *catalog;
	pthread_t thread;
};

static int compare(const void *a, const void *b)
{
	const struct download_counter *left = a;
	const struct download_counter *right = b;
	int by_handle = strcmp(left->name.handle, right->name.handle);

	if (by_handle != 0)
		return by_handle;
	if (left->name.version != right->name.version)
		return left->name.version < right->name.version ? -1 : 1;
	return (int)left->name.format - (int)right->name.format;
}

static struct download_counter *find_or_add(struct download_counters *counters, const struct name *name)
{
	const struct download_counter key = {.name = *name};
	struct download_counter **slot = tfind(&key, &counters->entries, compare);

	if (!slot) {
		struct download_counter *counter = mem_zero(1, sizeof *counter);

		counter->name = *name;
		counter->counters = counters;
		slot = tsearch(counter, &counters->entries, compare);
		if (!slot)
			abort();
	}
	return *slot;
}

void download_counters_count(struct download_counters *counters, const struct name *name)
{
	LOCKED(&counters->mutex);

	download_counter_add(find_or_add(counters, name));
}

void download_counters_touch(struct download_counters *counters, const struct name *name)
{
	LOCKED(&counters->mutex);

	atomic_store(&find_or_add(counters, name)->used_at, clock_now_s());
}

struct download_counter *download_counters_open(struct download_counters *counters, const struct name *name)
{
	LOCKED(&counters->mutex);
	struct download_counter *counter = find_or_add(counters, name);

	counter->holders++;
	return counter;
}

void download_counter_add(struct download_counter *counter)
{
	atomic_fetch_add_explicit(&counter->downloads, 1, memory_order_relaxed);
	atomic_store_explicit(&counter->used_at, clock_now_s(), memory_order_relaxed);
}

void download_counter_release(struct download_counter *counter)
{
	LOCKED(&counter->counters->mutex);

	counter->holders--;
}

/* Takes what was counted: a tree of the caller's. Tallies that are held stay, and begin again. */
static void *take_counted(struct download_counters *counters)
{
	void *counted = NULL;
	void *held = NULL;
	LOCKED(&counters->mutex);

	while (counters->entries) {
		struct download_counter *counter = *(struct download_counter **)counters->entries;
		struct download_counter *taken = counter;

		(void)tdelete(counter, &counters->entries, compare);
		if (counter->holders > 0) {
			taken = mem_zero(1, sizeof *taken);
			taken->name = counter->name;
			taken->downloads = atomic_exchange(&counter->downloads, 0);
			taken->used_at = atomic_exchange(&counter->used_at, 0);
			/* Just being counted: its time follows. */
			if (taken->downloads > 0 && taken->used_at == 0)
				taken->used_at = clock_now_s();
			if (!tsearch(counter, &held, compare))
				abort();
		}
		if (!tsearch(taken, &counted, compare))
			abort();
	}
	counters->entries = held;
	return counted;
}

/* What could not be written is written the next time. */
static void put_back(struct download_counters *counters, const struct downloads *items, size_t count)
{
	LOCKED(&counters->mutex);

	for (size_t i = 0; i < count; i++) {
		struct download_counter *counter = find_or_add(counters, &items[i].name);

		atomic_fetch_add(&counter->downloads, items[i].count);
		if (counter->used_at < items[i].last_at)
			counter->used_at = items[i].last_at;
	}
}

static void write_down(
	struct download_counters *counters, const struct downloads *items, size_t count, bool again)
{
	struct err err;

	if (count == 0 || catalog_count_downloads(counters->catalog, items, count, &err))
		return;
	log_event(LOG_LEVEL_WARN, again ? "downloads are counted later" : "downloads are not counted", "name",
		name_path(&items[0].name).text, "why", err.text, NULL);
	if (again)
		put_back(counters, items, count);
}

/* Empties the tree. */
static void write_all(struct download_counters *counters, void **counted, bool again)
{
	AUTO_FREE struct downloads *items = mem_zero(TOGETHER_MAX, sizeof *items);
	size_t count = 0;

	while (*counted) {
		struct download_counter *counter = *(struct download_counter **)*counted;

		if (counter->used_at > 0)
			items[count++] =
				(struct downloads){counter->name, counter->downloads, counter->used_at};
		(void)tdelete(counter, counted, compare);
		free(counter);
		if (count == TOGETHER_MAX || !*counted) {
			write_down(counters, items, count, again);
			count = 0;
		}
	}
}

static void flush(struct download_counters *counters, bool again)
{
	void *counted = take_counted(counters);

	if (counted)
		write_all(counters, &counted, again);
}

void download_counters_write_beside(struct download_counters *counters, const struct counters_beside *beside)
{
	LOCKED(&counters->mutex);

	counters->beside = *beside;
}

static struct counters_beside what_stands_beside(struct download_counters *counters)
{
	LOCKED(&counters->mutex);

	return counters->beside;
}

static void write_beside(struct download_counters *counters)
{
	struct counters_beside beside = what_stands_beside(counters);

	if (beside.write)
		beside.write(beside.context);
}

/* True when it is time to end. */
static bool sleep_until_flush(struct download_counters *counters)
{
	int64_t until_ms = clock_monotonic_ms() + 1000 * FLUSH_S;
	LOCKED(&counters->mutex);

	while (!counters->stop && lock_wait_until(&counters->mutex, &counters->stopping, until_ms))
		continue;
	return counters->stop;
}

static void *run(void *argument)
{
	struct download_counters *counters = argument;

	while (!sleep_until_flush(counters)) {
		flush(counters, true);
		write_beside(counters);
	}
	flush(counters, false);
	return NULL;
}

bool download_counters_create(struct catalog *catalog, struct download_counters **out, struct err *err)
{
	struct download_counters *counters = mem_zero(1, sizeof *counters);
	const struct thread_plan plan = {.name = "counters", .run = run, .context = counters};

	lock_init(&counters->mutex, &lock_place);
	(void)pthread_cond_init(&counters->stopping, NULL);
	counters->catalog = catalog;
	if (!thread_start(&counters->thread, &plan, err)) {
		free(counters);
		return false;
	}
	*out = counters;
	return true;
}

static void ask_to_stop(struct download_counters *counters)
{
	LOCKED(&counters->mutex);

	counters->stop = true;
	(void)pthread_cond_signal(&counters->stopping);
}

void download_counters_destroy(struct download_counters *counters)
{
	if (!counters)
		return;
	ask_to_stop(counters);
	thread_join(counters->thread);
	(void)pthread_cond_destroy(&counters->stopping);
	lock_finish(&counters->mutex);
	free(counters);
}
