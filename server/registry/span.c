/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/span.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/lock.h"
#include "common/mem.h"
#include "server/ranks.h"
#include "server/store/blobs.h"

static const struct lock_place span_place = {"committer", RANK_COMMITTER, .slow = true};
static const struct lock_place lock_place = {"span", RANK_SPAN, .slow = true};

/* So many may join before all of them must have left once: another process has its turn then. */
enum { SHARERS_MAX = 64 };

struct span {
	struct lock mutex; /* guards all but blobs; held while another process is waited for */
	pthread_cond_t changed;
	uint64_t arrived;
	uint64_t admitted; /* whoever came as this one is next */
	int64_t sharers;
	int64_t joined; /* since there was none */
	bool alone;
	struct blobs *blobs;
};

struct span *span_create(struct blobs *blobs)
{
	struct span *span = mem_zero(1, sizeof *span);

	lock_init(&span->mutex, &lock_place);
	(void)pthread_cond_init(&span->changed, NULL);
	span->blobs = blobs;
	return span;
}

void span_destroy(struct span *span)
{
	if (!span)
		return;
	(void)pthread_cond_destroy(&span->changed);
	lock_finish(&span->mutex);
	free(span);
}

static bool may_share(const struct span *span, uint64_t number)
{
	lock_expect(&span->mutex);
	return span->admitted == number && !span->alone && span->joined < SHARERS_MAX;
}

struct span *span_share(struct span *span)
{
	uint64_t number;

	lock_note_taken(&span_place);
	LOCKED(&span->mutex);
	number = span->arrived++;
	while (!may_share(span, number))
		lock_wait(&span->mutex, &span->changed);
	span->admitted++;
	span->joined++;
	if (span->sharers++ == 0)
		blobs_lock(span->blobs, true);
	(void)pthread_cond_broadcast(&span->changed);
	return span;
}

void span_unshare(struct span *span)
{
	if (!span)
		return;
	{
		LOCKED(&span->mutex);
		if (--span->sharers == 0) {
			span->joined = 0;
			blobs_unlock(span->blobs);
			(void)pthread_cond_broadcast(&span->changed);
		}
	}
	lock_note_given(&span_place);
}

struct span *span_take(struct span *span)
{
	uint64_t number;

	lock_note_taken(&span_place);
	LOCKED(&span->mutex);
	number = span->arrived++;
	while (span->admitted != number || span->alone || span->sharers > 0)
		lock_wait(&span->mutex, &span->changed);
	span->admitted++;
	span->alone = true;
	blobs_lock(span->blobs, false);
	return span;
}

void span_give(struct span *span)
{
	if (!span)
		return;
	{
		LOCKED(&span->mutex);
		span->alone = false;
		blobs_unlock(span->blobs);
		(void)pthread_cond_broadcast(&span->changed);
	}
	lock_note_given(&span_place);
}
