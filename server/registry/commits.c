/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/commits.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/container.h"
#include "common/list.h"
#include "common/lock.h"
#include "common/mem.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"commits", RANK_COMMITS};

/* Whoever can wait longer for another process does so where he is in nobody's way. */
enum { TOGETHER_MAX = 64, PATIENCE_MS = 250 };

/* Somebody who waits for his row, in his own stack frame. */
struct entry {
	struct list_link link; /* in the line */
	struct recording row;
	bool over;
};

struct commits {
	struct lock mutex; /* guards the line, who is in it, and writing */
	pthread_cond_t changed;
	struct list line;
	bool writing;
	struct catalog *catalog;
	struct blobs *blobs;
};

/* What is written at once. */
struct batch {
	struct recording *rows[TOGETHER_MAX]; /* of entries */
	size_t count;
};

struct commits *commits_create(struct catalog *catalog, struct blobs *blobs)
{
	struct commits *commits = mem_zero(1, sizeof *commits);

	lock_init(&commits->mutex, &lock_place);
	(void)pthread_cond_init(&commits->changed, NULL);
	list_init(&commits->line);
	commits->catalog = catalog;
	commits->blobs = blobs;
	return commits;
}

void commits_destroy(struct commits *commits)
{
	if (!commits)
		return;
	(void)pthread_cond_destroy(&commits->changed);
	lock_finish(&commits->mutex);
	free(commits);
}

/* The blobs are there already: a full disk shall not be the reason to throw them away for want of a row. */
static bool write_rows(struct commits *commits, struct recording *const *rows, size_t count, struct err *err)
{
	metric_add(METRIC_COMMITS, 1);
	return catalog_keep_all(commits->catalog, rows, count, PATIENCE_MS, err) ||
	       (err->code == ERR_NO_SPACE && blobs_spend_reserve(commits->blobs) &&
		       catalog_keep_all(commits->catalog, rows, count, PATIENCE_MS, err));
}

/* What goes wrong for all may be the doing of one. */
static void write_batch(struct commits *commits, struct batch *batch)
{
	struct err err;

	if (write_rows(commits, batch->rows, batch->count, &err) || err.code == ERR_BUSY || batch->count == 1)
		return;
	for (size_t i = 0; i < batch->count; i++)
		(void)write_rows(commits, &batch->rows[i], 1, &err);
}

static void take_batch(struct commits *commits, struct batch *batch)
{
	struct entry *entry;

	lock_expect(&commits->mutex);
	batch->count = 0;
	while (batch->count < TOGETHER_MAX && (entry = LIST_TAKE(struct entry, link, &commits->line)))
		batch->rows[batch->count++] = &entry->row;
}

/* True: this thread is to write the batch, in which the entry need not be. False: the entry is over. */
static bool await(struct commits *commits, struct entry *entry, struct batch *batch)
{
	LOCKED(&commits->mutex);

	while (!entry->over && commits->writing)
		lock_wait(&commits->mutex, &commits->changed);
	if (entry->over)
		return false;
	commits->writing = true;
	take_batch(commits, batch);
	return true;
}

/* From then on the entries are their owners' again. */
static void tell(struct commits *commits, const struct batch *batch)
{
	LOCKED(&commits->mutex);

	for (size_t i = 0; i < batch->count; i++)
		CONTAINER_OF(batch->rows[i], struct entry, row)->over = true;
	commits->writing = false;
	(void)pthread_cond_broadcast(&commits->changed);
}

static void join(struct commits *commits, struct entry *entry)
{
	LOCKED(&commits->mutex);

	list_append(&commits->line, &entry->link);
}

bool commits_keep(struct commits *commits, const struct keeping *keeping, enum kept *out, struct err *err)
{
	struct entry entry = {.row.keeping = keeping};
	struct batch batch;
	int64_t begun_us = clock_monotonic_us();

	join(commits, &entry);
	while (await(commits, &entry, &batch)) {
		write_batch(commits, &batch);
		tell(commits, &batch);
	}
	metric_observe(HISTOGRAM_COMMIT, clock_monotonic_us() - begun_us);
	if (entry.row.done)
		*out = entry.row.kept;
	else
		*err = entry.row.err;
	return entry.row.done;
}
