/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/inspector.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/mem.h"

struct inspector {
	struct spool *spool;
	enum format format;
	struct examination_limits limits;
	pthread_t thread;
	bool joined;
	atomic_bool given_up;
	/* Written by the thread, read once it has been joined. */
	bool done;
	struct inspection inspection;
	struct err err;
};

/* The spool's bytes on their way to the examination, hashed as they pass. */
struct hashing_stream {
	struct stream stream;
	struct spool_stream *source;
	struct hasher *hasher;
	int64_t size_bytes;
};

AUTO_CLEANER(own_hasher, struct hasher *, hasher_destroy)

void inspection_finish(struct inspection *inspection)
{
	examination_destroy(inspection->examination);
	*inspection = (struct inspection){0};
}

static bool next_hashed(struct stream *base, const uint8_t **data, size_t *length, struct err *err)
{
	struct hashing_stream *hashing = (struct hashing_stream *)base;

	if (!stream_next(&hashing->source->stream, data, length, err))
		return false;
	hasher_add(hashing->hasher, *data, *length);
	hashing->size_bytes += (int64_t)*length;
	return true;
}

static bool inspect(
	struct inspector *inspector, struct hashing_stream *hashing, struct inspection *out, struct err *err)
{
	AUTO_INSPECTION struct inspection inspection = {0};
	bool violated;

	if (!examination_run(
		    &hashing->stream, inspector->format, &inspector->limits, &inspection.examination, err))
		return false;
	violated = examination_count(inspection.examination, SEVERITY_VIOLATION) > 0;
	atomic_store(&inspector->given_up, violated);
	inspection.whole = stream_drain(&hashing->stream, err);
	if (!inspection.whole && !violated)
		return false;
	inspection.checksums = hasher_result(hashing->hasher);
	inspection.size_bytes = hashing->size_bytes;
	*out = inspection;
	inspection.examination = NULL;
	return true;
}

static void *run(void *argument)
{
	struct inspector *inspector = argument;
	AUTO(own_hasher) struct hasher *hasher = hasher_create();
	struct spool_stream source;
	struct hashing_stream hashing = {.stream = {next_hashed}, .source = &source, .hasher = hasher};

	spool_stream_init(&source, inspector->spool);
	inspector->done = inspect(inspector, &hashing, &inspector->inspection, &inspector->err);
	spool_stream_finish(&source);
	return NULL;
}

bool inspector_start(struct spool *spool, enum format format, const struct examination_limits *limits,
	struct inspector **out, struct err *err)
{
	struct inspector *inspector = mem_zero(1, sizeof *inspector);
	int failure;

	inspector->spool = spool_acquire(spool);
	inspector->format = format;
	inspector->limits = *limits;
	failure = pthread_create(&inspector->thread, NULL, run, inspector);
	if (failure != 0) {
		inspector->joined = true;
		inspector_destroy(inspector);
		return err_errno(err, failure, "start a thread to inspect with");
	}
	*out = inspector;
	return true;
}

bool inspector_has_given_up(const struct inspector *inspector)
{
	return atomic_load(&inspector->given_up);
}

static void join(struct inspector *inspector)
{
	if (!inspector->joined)
		(void)pthread_join(inspector->thread, NULL);
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
	spool_release(inspector->spool);
	free(inspector);
}
