/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/relisting.h"

#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/module/examination.h"
#include "server/registry/blob_stream.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_relisting.h"

struct job {
	struct blobs *blobs;
	const atomic_bool *stop;
	struct blob_stream source;
	struct unlisted item;
	struct examination *examination; /* NULL where it could not be read */
};

static void *run_job(void *argument)
{
	struct job *job = argument;
	const struct archive_limits none = {0}; /* it was kept within those of its time */
	AUTO_FD int fd = -1;
	struct err err;

	if (!blobs_peek(job->blobs, &job->item.digest, &fd, &err))
		return NULL;
	if (!examination_run(blob_stream_init(&job->source, fd, job->stop), job->item.format, &none,
		    &job->examination, &err) &&
		err.code != ERR_NOT_FOUND)
		log_event(LOG_LEVEL_WARN, "a model stays without a listing of its signatures", "sha256",
			job->item.digest.hex, "why", err.text, NULL);
	return NULL;
}

static bool list_one(struct catalog *catalog, struct job *job, struct err *err)
{
	const struct thread_plan plan = {
		.name = "listing", .role = THREAD_DISK, .idle = true, .run = run_job, .context = job};
	AUTO_EXAMINATION struct examination *examination = NULL;
	pthread_t thread;

	if (!thread_start(&thread, &plan, err))
		return false;
	thread_join(thread);
	examination = TAKE(job->examination);
	if (!examination)
		return true;
	if (!catalog_record_listing(catalog, &job->item, examination->saved_model, err))
		return false;
	metric_add(METRIC_LATE_LISTINGS, 1);
	return true;
}

bool relisting_pass(struct catalog *catalog, struct blobs *blobs, const atomic_bool *stop,
	const atomic_bool *yield, struct err *err)
{
	AUTO_FREE struct job *job = NULL;
	struct unlisted item = {0};

	while (!atomic_load(stop)) {
		if (!catalog_find_unlisted(catalog, item.id, &item, err))
			return false;
		if (item.id == 0)
			return true;
		if (!job)
			job = mem_zero(1, sizeof *job);
		job->blobs = blobs;
		job->stop = stop;
		job->item = item;
		if (!list_one(catalog, job, err))
			return false;
		if (atomic_load(yield))
			return true;
	}
	return true;
}
