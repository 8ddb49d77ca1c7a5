/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/backfill.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/sums.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/registry/late_filesums.h"
#include "server/registry/relisting.h"
#include "server/store/catalog/catalog_md5.h"

static const struct lock_place lock_place = {"backfill", RANK_BACKFILL};

/* What comes together is written down together: each commit waits for the disk, as those of clients do. */
enum { GATHER_MS = 500, BATCH = 64, BATCH_BYTES = 256 << 20, BLOCK_BYTES = 256 << 10 };

struct backfill {
	struct lock mutex; /* guards the waiting for noticed */
	pthread_cond_t changed;
	atomic_bool noticed;
	atomic_bool stop;
	struct catalog *catalog;
	struct blobs *blobs;
	struct committer *committer;
	pthread_t thread;
};

struct batch {
	struct backfill *backfill;
	struct blob_md5 items[BATCH];
	size_t count;
	size_t looked_at;
};

/* ---- on the idle thread ---- */

/* Nobody is to wait until a blob that was removed is read to its end: its room is free only then. */
static bool is_wanted(const struct backfill *backfill, int fd)
{
	struct stat status;

	return !atomic_load(&backfill->stop) && fstat(fd, &status) == 0 && status.st_nlink > 0;
}

/* True with *known false where it was given up. */
static bool read_md5(const struct backfill *backfill, int fd, struct blob_md5 *item, struct err *err)
{
	AUTO_SUMS struct sums *sums = sums_create(1u << SUM_MD5);
	AUTO_FREE char *block = mem_zero(1, BLOCK_BYTES);
	uint8_t values[SUM_COUNT][SUM_BYTES_MAX];
	size_t length = 0;

	for (int64_t at = 0; at < item->size_bytes; at += (int64_t)length) {
		if (!is_wanted(backfill, fd))
			return true;
		if (!file_read_at(fd, block, BLOCK_BYTES, at, &length, err))
			return false;
		if (length == 0)
			return err_set(err, ERR_INTERNAL, "it ends after %lld bytes", (long long)at);
		sums_add(sums, block, length);
	}
	sums_result(sums, values);
	memcpy(item->md5, values[SUM_MD5], sizeof item->md5);
	item->known = true;
	return true;
}

static void compute(struct backfill *backfill, struct blob_md5 *item)
{
	AUTO_FD int fd = -1;
	struct err err;

	/* Evicted or withdrawn meanwhile; whoever asks for what is lost finds that out. */
	if (!blobs_peek(backfill->blobs, &item->digest, &fd, &err))
		return;
	if (!read_md5(backfill, fd, item, &err))
		log_event(LOG_LEVEL_WARN, "a blob stays without MD5", "sha256", item->digest.hex, "why",
			err.text, NULL);
}

static void *run_batch(void *argument)
{
	struct batch *batch = argument;
	int64_t bytes = 0;

	while (batch->looked_at < batch->count && bytes < BATCH_BYTES &&
		!atomic_load(&batch->backfill->stop)) {
		struct blob_md5 *item = &batch->items[batch->looked_at++];

		compute(batch->backfill, item);
		bytes += item->size_bytes;
	}
	return NULL;
}

/* ---- on its own ---- */

static size_t known_among(const struct batch *batch)
{
	size_t known = 0;

	for (size_t i = 0; i < batch->looked_at; i++)
		known += batch->items[i].known;
	return known;
}

/* The idle thread holds no lock that others wait for: it may stand still for long. */
static bool do_batch(struct batch *batch, struct err *err)
{
	struct backfill *backfill = batch->backfill;
	const struct thread_plan plan = {
		.name = "md5", .role = THREAD_DISK, .idle = true, .run = run_batch, .context = batch};
	pthread_t thread;
	size_t known;

	if (!thread_start(&thread, &plan, err))
		return false;
	thread_join(thread);
	known = known_among(batch);
	if (known > 0 && !committer_record_md5(backfill->committer, batch->items, batch->looked_at, err))
		return false;
	metric_add(METRIC_LATE_MD5, (int64_t)known);
	return true;
}

/* Each blob is looked at once a pass, so that one that cannot be read is in nobody's way. */
static bool pass(struct backfill *backfill, struct err *err)
{
	AUTO_FREE struct batch *batch = mem_zero(1, sizeof *batch);
	int64_t behind_id = 0;

	batch->backfill = backfill;
	while (!atomic_load(&backfill->stop)) {
		batch->looked_at = 0;
		if (!catalog_list_without_md5(
			    backfill->catalog, behind_id, BATCH, batch->items, &batch->count, err))
			return false;
		if (batch->count == 0)
			return true;
		if (!do_batch(batch, err))
			return false;
		if (batch->looked_at > 0)
			behind_id = batch->items[batch->looked_at - 1].id;
	}
	return true;
}

static bool await_notice(struct backfill *backfill)
{
	LOCKED(&backfill->mutex);

	while (!atomic_load(&backfill->noticed) && !atomic_load(&backfill->stop))
		lock_wait(&backfill->mutex, &backfill->changed);
	return !atomic_load(&backfill->stop);
}

static void gather(struct backfill *backfill)
{
	int64_t until_ms = clock_monotonic_ms() + GATHER_MS;
	LOCKED(&backfill->mutex);

	while (!atomic_load(&backfill->stop) &&
		lock_wait_until(&backfill->mutex, &backfill->changed, until_ms))
		;
	atomic_store(&backfill->noticed, false);
}

static void *run(void *argument)
{
	struct backfill *backfill = argument;
	struct err err;

	while (await_notice(backfill)) {
		gather(backfill);
		/* The next notice has it tried again. */
		if (!pass(backfill, &err))
			log_event(LOG_LEVEL_WARN, "MD5 of what was kept cannot be computed now", "why",
				err.text, NULL);
		/* Between two files both make way for MD5s that have become wanted. */
		if (!relisting_pass(
			    backfill->catalog, backfill->blobs, &backfill->stop, &backfill->noticed, &err))
			log_event(
				LOG_LEVEL_WARN, "what was kept cannot be listed now", "why", err.text, NULL);
		if (!late_filesums_pass(
			    backfill->catalog, backfill->blobs, &backfill->stop, &backfill->noticed, &err))
			log_event(LOG_LEVEL_WARN, "digests of files cannot be computed now", "why", err.text,
				NULL);
	}
	return NULL;
}

bool backfill_create(struct catalog *catalog, struct blobs *blobs, struct committer *committer,
	struct backfill **out, struct err *err)
{
	struct backfill *backfill = mem_zero(1, sizeof *backfill);
	const struct thread_plan plan = {.name = "backfill", .run = run, .context = backfill};

	lock_init(&backfill->mutex, &lock_place);
	(void)pthread_cond_init(&backfill->changed, NULL);
	backfill->catalog = catalog;
	backfill->blobs = blobs;
	backfill->committer = committer;
	atomic_init(&backfill->noticed, true);
	if (!thread_start(&backfill->thread, &plan, err)) {
		(void)pthread_cond_destroy(&backfill->changed);
		lock_finish(&backfill->mutex);
		free(backfill);
		return false;
	}
	*out = backfill;
	return true;
}

void backfill_notice(struct backfill *backfill)
{
	LOCKED(&backfill->mutex);

	atomic_store(&backfill->noticed, true);
	(void)pthread_cond_broadcast(&backfill->changed);
}

static void stop(struct backfill *backfill)
{
	LOCKED(&backfill->mutex);

	atomic_store(&backfill->stop, true);
	(void)pthread_cond_broadcast(&backfill->changed);
}

void backfill_destroy(struct backfill *backfill)
{
	if (!backfill)
		return;
	stop(backfill);
	thread_join(backfill->thread);
	(void)pthread_cond_destroy(&backfill->changed);
	lock_finish(&backfill->mutex);
	free(backfill);
}
