/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/relisting.h"

#include <sys/stat.h>

#include "common/container.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/module/examination.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_relisting.h"

enum { BLOCK_BYTES = 256 << 10 };

/* A blob that can be read twice, until it is removed or the server stops. */
struct blob_stream {
	struct stream stream;
	int fd;
	int64_t offset;
	const atomic_bool *stop;
	uint8_t block[BLOCK_BYTES];
};

struct job {
	struct blobs *blobs;
	struct blob_stream source;
	struct unlisted item;
	struct examination *examination; /* NULL where it could not be read */
};

static bool next_piece(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct blob_stream *source = CONTAINER_OF(stream, struct blob_stream, stream);
	struct stat status;

	if (atomic_load(source->stop) || fstat(source->fd, &status) != 0 || status.st_nlink == 0)
		return err_set(err, ERR_NOT_FOUND, "it is not wanted any more");
	if (!file_read_at(source->fd, source->block, sizeof source->block, source->offset, length, err))
		return false;
	source->offset += (int64_t)*length;
	*data = source->block;
	return true;
}

static bool read_again(
	struct stream *stream, int64_t offset, void *out, size_t length, size_t *out_read, struct err *err)
{
	struct blob_stream *source = CONTAINER_OF(stream, struct blob_stream, stream);

	return file_read_at(source->fd, out, length, offset, out_read, err);
}

static void *run_job(void *argument)
{
	struct job *job = argument;
	const struct archive_limits none = {0}; /* it was kept within those of its time */
	AUTO_FD int fd = -1;
	struct err err;

	if (!blobs_peek(job->blobs, &job->item.digest, &fd, &err))
		return NULL;
	job->source.stream = (struct stream){next_piece, read_again};
	job->source.fd = fd;
	job->source.offset = 0;
	if (!examination_run(&job->source.stream, job->item.format, &none, &job->examination, &err) &&
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

bool relisting_pass(struct catalog *catalog, struct blobs *blobs, const atomic_bool *stop, struct err *err)
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
		job->source.stop = stop;
		job->item = item;
		if (!list_one(catalog, job, err))
			return false;
	}
	return true;
}
