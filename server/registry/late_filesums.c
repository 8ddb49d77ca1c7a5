/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/late_filesums.h"

#include "common/digest.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/module/archives/archive.h"
#include "server/module/archives/membername.h"
#include "server/registry/blob_stream.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_filesums.h"

/* One archive. */
struct job {
	struct blobs *blobs;
	const atomic_bool *stop;
	struct undigested item;
	struct blob_stream source;
	struct member member;
	struct filesums sums;
	bool looked; /* to its end, or as far as it is an archive */
};

/* Holes may be very large. */
static bool hash_content(struct job *job, struct stream *content, struct digest *out, struct err *err)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	const uint8_t *data;
	size_t length;

	do {
		if (!blob_stream_is_wanted(&job->source))
			return err_set(err, ERR_NOT_FOUND, "it is not wanted any more");
		if (!stream_next(content, &data, &length, err))
			return false;
		hasher_add(hasher, data, length);
	} while (length > 0);
	*out = hasher_result(hasher);
	return true;
}

static bool hash_member(struct job *job, struct archive *archive, struct err *err)
{
	char path[ARCHIVE_NAME_MAX + 1];
	struct digest digest;

	if (!hash_content(job, archive_content(archive), &digest, err))
		return false;
	membername_normalise(job->member.name, path);
	filesums_add(&job->sums, path, digest.bytes);
	return true;
}

static bool hash_members(struct job *job, struct archive *archive, struct err *err)
{
	bool found;

	for (;;) {
		if (!archive_next(archive, &job->member, &found, err))
			return false;
		if (!found)
			return true;
		if (job->member.kind == MEMBER_FILE && !hash_member(job, archive, err))
			return false;
	}
}

static void *run_job(void *argument)
{
	struct job *job = argument;
	const struct archive_limits none = {0}; /* it was kept within those of its time */
	AUTO_ARCHIVE struct archive *archive = NULL;
	AUTO_FD int fd = -1;
	struct err err;

	if (!blobs_peek(job->blobs, &job->item.digest, &fd, &err))
		return NULL;
	archive = archive_create(blob_stream_init(&job->source, fd, job->stop), &none);
	job->looked = hash_members(job, archive, &err);
	if (job->looked || err.code == ERR_NOT_FOUND)
		return NULL;
	log_event(LOG_LEVEL_WARN, "the files of an archive stay without digests", "sha256",
		job->item.digest.hex, "why", err.text, NULL);
	job->looked = err.code == ERR_INVALID_MODULE;
	filesums_finish(&job->sums);
	return NULL;
}

static bool digest_one(struct catalog *catalog, struct job *job, struct err *err)
{
	const struct thread_plan plan = {
		.name = "filesums", .role = THREAD_DISK, .idle = true, .run = run_job, .context = job};
	pthread_t thread;

	if (!thread_start(&thread, &plan, err))
		return false;
	thread_join(thread);
	if (!job->looked)
		return true;
	filesums_sort(&job->sums);
	if (!catalog_record_filesums(catalog, &job->item.digest, &job->sums, err))
		return false;
	metric_add(METRIC_LATE_FILESUMS, 1);
	return true;
}

static void destroy_job(struct job **job)
{
	if (*job)
		filesums_finish(&(*job)->sums);
	free(*job);
}

bool late_filesums_pass(struct catalog *catalog, struct blobs *blobs, const atomic_bool *stop,
	const atomic_bool *yield, struct err *err)
{
	AUTO(destroy_job) struct job *job = NULL;
	struct undigested item = {0};
	bool more = true;

	while (more && !atomic_load(stop)) {
		if (!catalog_seek_undigested(catalog, &more, err))
			return false;
	}
	while (!atomic_load(stop)) {
		if (!catalog_find_undigested(catalog, item.id, &item, err))
			return false;
		if (item.id == 0)
			return true;
		if (!job)
			job = mem_zero(1, sizeof *job);
		filesums_finish(&job->sums);
		job->blobs = blobs;
		job->stop = stop;
		job->item = item;
		job->looked = false;
		if (!digest_one(catalog, job, err))
			return false;
		if (atomic_load(yield))
			return true;
	}
	return true;
}
