/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/inspector.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"inspector", RANK_INSPECTOR};

/* MD5 of what is small costs less than to write it down later does. */
enum { WRITTEN_OUT_BYTES = 8 << 20, NICENESS = 10, LARGE_COUNT = 5000, EARLY_MD5_BYTES = 1 << 20 };

/* The spool's checksums, from a stream of its own: hashing takes about as long as inflating. */
struct hashing {
	struct spool_stream source;
	atomic_uint wanted; /* beside SHA-256 */
	bool done;
	struct digest sha256;
	struct sum_set sums;
	int64_t size_bytes;
	struct err err;
};

struct inspector {
	struct lock mutex; /* guards ended and waiters */
	bool ended;
	struct waiter *waiters;
	/* Both streams are open from the start, so that no byte is given back before they have it. */
	struct spool_stream source;
	struct hashing hashing;
	enum format format;
	struct archive_limits limits;
	struct inspection_places *places;
	pthread_t thread;
	bool joined;
	atomic_bool given_up;
	/* Written by the thread, read once it has been joined. */
	bool done;
	struct inspection inspection;
	struct err err;
};

/* What was listed in thousands of pieces lies scattered; in a burst of them that adds up. */
static bool is_large(const struct examination *examination)
{
	const struct saved_model *model = examination ? examination->saved_model : NULL;

	return examination && (examination->member_count > LARGE_COUNT || (model && model->truncated));
}

void inspection_finish(struct inspection *inspection)
{
	bool gives_back = is_large(inspection->examination);

	examination_destroy(inspection->examination);
	if (gives_back)
		(void)malloc_trim(0);
	if (inspection->place)
		inspection_places_leave(inspection->place);
	*inspection = (struct inspection){0};
}

/* This thread has time to wait for the disk, whoever appends may not. */
static void write_out(const struct hashing *hashing, int64_t *written)
{
	if (hashing->size_bytes - *written < WRITTEN_OUT_BYTES)
		return;
	spool_write_out(hashing->source.spool, *written, hashing->size_bytes);
	*written = hashing->size_bytes;
}

/* What is added to beside SHA-256. */
struct others {
	struct sums *wanted;
	struct sums *early; /* MD5 of what may prove to be small */
};

static void others_finish(struct others *others)
{
	sums_destroy(others->wanted);
	sums_destroy(others->early);
}

static struct others begin_others(struct hashing *hashing)
{
	unsigned wanted = atomic_load(&hashing->wanted);
	bool md5 = wanted & 1u << SUM_MD5;

	hashing->sums.known = wanted;
	return (struct others){wanted ? sums_create(wanted) : NULL, md5 ? NULL : sums_create(1u << SUM_MD5)};
}

static void add_others(struct hashing *hashing, struct others *others, const uint8_t *data, size_t length)
{
	if (hashing->size_bytes == 0)
		*others = begin_others(hashing);
	if (hashing->size_bytes + (int64_t)length > EARLY_MD5_BYTES)
		sums_destroy(TAKE(others->early));
	if (others->wanted)
		sums_add(others->wanted, data, length);
	if (others->early)
		sums_add(others->early, data, length);
}

static void finish_sums(struct hashing *hashing, struct hasher *hasher, const struct others *others)
{
	struct sum_set *sums = &hashing->sums;

	if (others->wanted)
		sums_result(others->wanted, sums->values);
	if (others->early)
		sums_result(others->early, sums->values);
	hashing->sha256 = hasher_result(hasher);
	memcpy(sums->values[SUM_SHA256], hashing->sha256.bytes, sizeof hashing->sha256.bytes);
	sum_of_length((uint64_t)hashing->size_bytes, sums->values[SUM_LENGTH]);
	sums->known |= 1u << SUM_SHA256 | 1u << SUM_LENGTH | (others->early ? 1u << SUM_MD5 : 0);
}

static bool hash(struct hashing *hashing)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	AUTO(others_finish) struct others others = {0};
	int64_t written = 0;
	const uint8_t *data;
	size_t length;

	do {
		if (!stream_next(&hashing->source.stream, &data, &length, &hashing->err))
			return false;
		hasher_add(hasher, data, length);
		add_others(hashing, &others, data, length);
		hashing->size_bytes += (int64_t)length;
		write_out(hashing, &written);
	} while (length > 0);
	finish_sums(hashing, hasher, &others);
	return true;
}

static void *run_hashing(void *argument)
{
	struct hashing *hashing = argument;

	hashing->done = hash(hashing);
	spool_stream_finish(&hashing->source);
	return NULL;
}

/* Where nobody's pace can hold it. */
static bool take_place(struct inspector *inspector)
{
	int64_t length;
	struct err ended; /* the examination will find out */

	if (!spool_wait_bytes(inspector->source.spool, INSPECTION_SMALL_BYTES, &length, &ended) ||
		length > INSPECTION_SMALL_BYTES)
		return true;
	if (!inspection_places_enter(inspector->places, &inspector->err))
		return false;
	inspector->inspection.place = inspector->places;
	return true;
}

/* Until all is committed, where what was listed stays so long. */
static void leave_place(struct inspection *inspection)
{
	if (inspection->place && !is_large(inspection->examination))
		inspection_places_leave(TAKE(inspection->place));
}

static void examine(struct inspector *inspector)
{
	inspector->done = take_place(inspector) &&
			  examination_run(&inspector->source.stream, inspector->format, &inspector->limits,
				  &inspector->inspection.examination, &inspector->err);
	spool_stream_finish(&inspector->source);
	leave_place(&inspector->inspection);
	if (inspector->done && examination_count(inspector->inspection.examination, SEVERITY_VIOLATION) > 0)
		atomic_store(&inspector->given_up, true);
}

/* Violations stand whether or not the rest ever came; anything else counts for the complete spool only. */
static void conclude(struct inspector *inspector, const struct hashing *hashing)
{
	struct inspection *inspection = &inspector->inspection;

	if (!inspector->done)
		return;
	if (!hashing->done && !inspector_has_given_up(inspector)) {
		inspection_finish(inspection);
		inspector->done = false;
		inspector->err = hashing->err;
		return;
	}
	inspection->whole = hashing->done;
	inspection->sums = hashing->sums;
	inspection->checksums =
		(struct checksums){.sha256 = hashing->sha256, .has_md5 = hashing->sums.known & 1u << SUM_MD5};
	memcpy(inspection->checksums.md5, hashing->sums.values[SUM_MD5], sizeof inspection->checksums.md5);
	inspection->size_bytes = hashing->size_bytes;
}

/* Whoever is woken may wait for this thread at once, which is about to end. */
static void tell_end(struct inspector *inspector)
{
	struct waiter *waiters;

	{
		LOCKED(&inspector->mutex);
		inspector->ended = true;
		waiters = TAKE(inspector->waiters);
	}
	waiter_wake_all(waiters);
}

/* Without a second thread the work is done in turn: that is slower, and as good. Meanwhile nobody is to wait
 * until the stream has moved that nobody reads. */
static void work_in_turn(struct inspector *inspector)
{
	AUTO_SPOOL struct spool *spool = spool_acquire(inspector->source.spool);

	spool_stream_finish(&inspector->hashing.source);
	examine(inspector);
	spool_stream_init(&inspector->hashing.source, spool);
	(void)run_hashing(&inspector->hashing);
}

static void *run(void *argument)
{
	struct inspector *inspector = argument;
	/* Niceness is inherited from this thread. */
	const struct thread_plan plan = {
		.name = "hashing", .role = THREAD_DISK, .run = run_hashing, .context = &inspector->hashing};
	struct err unused;
	pthread_t thread;

	if (thread_start(&thread, &plan, &unused)) {
		examine(inspector);
		thread_join(thread);
	} else {
		work_in_turn(inspector);
	}
	conclude(inspector, &inspector->hashing);
	tell_end(inspector);
	return NULL;
}

bool inspector_start(struct spool *spool, enum format format, const struct archive_limits *limits,
	struct inspection_places *places, struct inspector **out, struct err *err)
{
	struct inspector *inspector = mem_zero(1, sizeof *inspector);
	/* A second of work for one module must not hold up thousands of small requests on the same core. */
	const struct thread_plan plan = {.name = "inspector",
		.role = THREAD_DISK,
		.niceness = NICENESS,
		.run = run,
		.context = inspector};

	lock_init(&inspector->mutex, &lock_place);
	spool_stream_init(&inspector->source, spool);
	spool_stream_init(&inspector->hashing.source, spool);
	inspector->format = format;
	inspector->limits = *limits;
	inspector->places = places;
	if (!thread_start(&inspector->thread, &plan, err)) {
		inspector->joined = true;
		spool_stream_finish(&inspector->source);
		spool_stream_finish(&inspector->hashing.source);
		inspector_destroy(inspector);
		return false;
	}
	*out = inspector;
	return true;
}

void inspector_want(struct inspector *inspector, unsigned sums)
{
	atomic_fetch_or(&inspector->hashing.wanted, sums & ~(1u << SUM_SHA256 | 1u << SUM_LENGTH));
}

bool inspector_has_given_up(const struct inspector *inspector)
{
	return atomic_load(&inspector->given_up);
}

bool inspector_await(struct inspector *inspector, struct waiter *waiter)
{
	LOCKED(&inspector->mutex);

	if (inspector->ended)
		return false;
	waiter_join(&inspector->waiters, waiter);
	return true;
}

bool inspector_leave(struct inspector *inspector, struct waiter *waiter)
{
	LOCKED(&inspector->mutex);

	return waiter_leave(&inspector->waiters, waiter);
}

static void join(struct inspector *inspector)
{
	if (!inspector->joined)
		thread_join(inspector->thread);
	inspector->joined = true;
}

bool inspector_wait(struct inspector *inspector, struct inspection *out, struct err *err)
{
	join(inspector);
	if (!inspector->done) {
		*err = inspector->err;
		return false;
	}
	*out = inspector->inspection;
	inspector->inspection = (struct inspection){0};
	return true;
}

void inspector_destroy(struct inspector *inspector)
{
	if (!inspector)
		return;
	join(inspector);
	inspection_finish(&inspector->inspection);
	lock_finish(&inspector->mutex);
	free(inspector);
}
