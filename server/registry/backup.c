/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/registry/blob_copy.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/db_copy.h"

/* How often the database is copied once more where something was withdrawn meanwhile. */
enum { ROUNDS_MAX = 8, TRIES_MAX = 3 };

struct backup {
	const struct backup_order *order;
	struct backup_folder *folder;
	struct backup_report *report;
	struct blobs *into;
	struct backup_progress progress;
	char *place; /* of the new database's folder */
	struct catalog *copy;
	struct backup_marker marker;
	bool is_stale; /* the copy has published what is not there any more */
};

static void finish_backup(struct backup *backup)
{
	catalog_close(backup->copy);
	blobs_close(backup->into);
	free(backup->place);
}

static void tell_progress(struct backup *backup, const char *what)
{
	const struct backup_watch *watch = &backup->order->watch;

	if (watch->progressed)
		watch->progressed(watch->context, what, &backup->progress);
}

/* ---- one blob ---- */

static bool is_whole(int fd, const struct digest *digest, struct read_rate *rate, struct err *err)
{
	static const atomic_bool never = false;
	AUTO_FREE struct paced_blob *blob = mem_zero(1, sizeof *blob);
	bool whole;

	(void)paced_blob_init(blob, fd, &never, rate);
	whole = paced_blob_verify(blob, digest, err) || blob_copy_blame(err);
	paced_blob_finish(blob);
	return whole;
}

bool backup_has_blob(struct blobs *blobs, const struct pass_blob *blob, bool checks, struct read_rate *rate)
{
	AUTO_FD int fd = -1;
	int64_t bytes;
	struct err err;

	if (!blobs_size(blobs, &blob->digest, &bytes, &err) || bytes != blob->size_bytes)
		return false;
	if (!checks)
		return true;
	if (blobs_peek(blobs, &blob->digest, &fd, &err) && is_whole(fd, &blob->digest, rate, &err))
		return true;
	(void)blobs_remove(blobs, &blob->digest, &err);
	return false;
}

bool backup_copy_blob(struct blobs *from, const struct pass_blob *blob, struct blobs *into, bool link,
	struct read_rate *rate, struct err *err)
{
	AUTO_SPOOL struct spool *spool = NULL;
	AUTO_FD int fd = -1;

	if (!blobs_peek(from, &blob->digest, &fd, err))
		return blob_copy_blame(err);
	if (link)
		return is_whole(fd, &blob->digest, rate, err) && blobs_remove(into, &blob->digest, err) &&
		       blobs_link(from, &blob->digest, into, err);
	if (!blob_copy(fd, &blob->digest, rate, into, &spool, err) || !blobs_prepare(spool, err) ||
		!blobs_adopt(into, spool, &blob->digest, err))
		return false;
	spool_mark_kept(spool);
	return true;
}

static bool note_faulty(
	struct backup *backup, const struct pass_blob *blob, const char *detail, struct err *err)
{
	const struct backup_watch *watch = &backup->order->watch;
	AUTO_FREE struct name *names = NULL;
	size_t count;

	if (!catalog_list_blob_names(backup->copy, blob->id, &names, &count, err) ||
		!catalog_forget_blob(backup->copy, &blob->digest, err))
		return false;
	backup->report->faulty++;
	if (watch->faulty)
		watch->faulty(watch->context, blob, names, count, detail);
	return true;
}

/* It is not whole, or went while the backup ran: what is published does so by being withdrawn, and then the
 * database is copied once more. */
static bool leave_out(
	struct backup *backup, const struct pass_blob *blob, const struct err *why, struct err *err)
{
	bool claimed;

	if (!catalog_claims_blob(backup->order->catalog, &blob->digest, &claimed, err))
		return false;
	if (claimed)
		return note_faulty(backup, blob, why->text, err);
	backup->is_stale = backup->is_stale || blob->is_published;
	return catalog_forget_blob(backup->copy, &blob->digest, err);
}

/* *taken is false, and *why says so, where it is not whole, or not there. One that is replaced by the same
 * bytes while it is read is read again. */
static bool copy_blob(
	struct backup *backup, const struct pass_blob *blob, bool *taken, struct err *why, struct err *err)
{
	const struct backup_order *order = backup->order;

	*taken = false;
	for (int i = 0; i < TRIES_MAX && !*taken; i++) {
		*taken = backup_copy_blob(order->blobs, blob, backup->into, order->link, order->rate, why);
		if (!*taken && !blob_copy_is_blamed(why)) {
			*err = *why;
			return false;
		}
	}
	return true;
}

static bool take_blob(struct backup *backup, const struct pass_blob *blob, struct err *err)
{
	const struct backup_order *order = backup->order;
	bool taken = backup_has_blob(backup->into, blob, order->checks, order->rate);
	struct err why;

	if (!taken) {
		if (!copy_blob(backup, blob, &taken, &why, err))
			return false;
		if (!taken)
			return leave_out(backup, blob, &why, err);
		backup->report->new_blobs++;
		backup->report->new_bytes += blob->size_bytes;
	}
	backup->marker.blobs++;
	backup->marker.bytes += blob->size_bytes;
	return true;
}

static bool take_blobs(struct backup *backup, struct err *err)
{
	struct pass_blob blob = {0};

	backup->marker.blobs = backup->marker.bytes = 0;
	for (;;) {
		if (!catalog_next_blob(backup->copy, blob.id ? &blob.digest : NULL, &blob, err))
			return false;
		if (blob.id == 0)
			return true;
		backup->progress.blobs = backup->marker.blobs;
		backup->progress.bytes = backup->marker.bytes;
		tell_progress(backup, "backing up");
		if (!take_blob(backup, &blob, err))
			return false;
	}
}

/* What was lost there may be in the backup of before: who restores from it has that back. */
static bool take_lost(struct backup *backup, struct err *err)
{
	struct pass_blob blob = {0};
	bool returned;

	for (;;) {
		if (!catalog_next_lost(backup->copy, blob.id ? &blob.digest : NULL, &blob, err))
			return false;
		if (blob.id == 0)
			return true;
		if (!backup_has_blob(backup->into, &blob, true, backup->order->rate))
			continue;
		if (!catalog_return_blob(backup->copy, &blob.digest, &returned, err))
			return false;
		backup->marker.blobs++;
		backup->marker.bytes += blob.size_bytes;
	}
}

/* ---- the database ---- */

static void copy_progressed(void *context, int64_t done_bytes, int64_t total_bytes)
{
	struct backup *backup = context;

	backup->progress = (struct backup_progress){.bytes = done_bytes, .total_bytes = total_bytes};
	tell_progress(backup, "copying the database");
}

static bool copy_database(struct backup *backup, struct err *err)
{
	AUTO_FREE char *from = mem_printf("%s/larder.db", backup->order->data_dir);
	AUTO_FREE char *to = mem_printf("%s/larder.db", backup->place);

	catalog_close(TAKE(backup->copy));
	if (!backup_folder_drop(backup->folder, backup->marker.number, err) ||
		!file_make_folders(backup->place, err) || !db_copy(from, to, copy_progressed, backup, err) ||
		!catalog_open(backup->place, &backup->copy, err))
		return false;
	backup->progress = (struct backup_progress){0};
	return catalog_measure_blobs(
		backup->copy, &backup->progress.total_blobs, &backup->progress.total_bytes, err);
}

/* Until nothing was withdrawn between the copy and the blobs. */
static bool copy_all(struct backup *backup, struct err *err)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		backup->marker.at_s = clock_now_s();
		backup->report->faulty = 0;
		backup->is_stale = false;
		if (!copy_database(backup, err))
			return false;
		if (backup->order->is_index)
			return catalog_forget_all_blobs(backup->copy, err);
		if (!take_blobs(backup, err))
			return false;
		if (!backup->is_stale)
			return take_lost(backup, err);
	}
	return err_set(err, ERR_BUSY, "versions are withdrawn faster than they are backed up: try again");
}

static bool hash_file(int fd, struct digest *out, struct err *err)
{
	static const atomic_bool never = false;
	AUTO_FREE struct paced_blob *file = mem_zero(1, sizeof *file);
	struct read_rate unbounded = {0};
	bool drained = stream_drain(paced_blob_init(file, fd, &never, &unbounded), err);

	if (drained)
		*out = hasher_result(file->hasher);
	paced_blob_finish(file);
	return drained;
}

/* Closed, all of it is in the one file; where that failed, the write-ahead log stays. */
static bool settle_database(struct backup *backup, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/larder.db", backup->place);
	AUTO_FREE char *log = mem_printf("%s-wal", path);
	AUTO_FD int fd = -1;
	AUTO_FD int folder = -1;

	catalog_close(TAKE(backup->copy));
	if (access(log, F_OK) == 0)
		return err_set(err, ERR_INTERNAL,
			"%.150s could not be written wholly: see that there is room and that the disk is "
			"sound, and run it again",
			path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	folder = open(backup->place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || folder < 0 || fsync(fd) < 0)
		return err_errno(err, errno, "make %s durable", path);
	return hash_file(fd, &backup->marker.database, err) && file_sync_folder(folder, err) &&
	       file_sync_folder(backup->folder->fd, err);
}

/* ---- what goes ---- */

struct pruning {
	struct backup *backup;
	struct catalog *catalog;
	struct err err;
};

static bool prune_blob(void *context, const struct digest *digest, int64_t size_bytes)
{
	struct pruning *pruning = context;
	struct backup *backup = pruning->backup;
	bool claimed;

	if (!catalog_claims_blob(pruning->catalog, digest, &claimed, &pruning->err))
		return false;
	if (claimed)
		return true;
	if (!blobs_remove(backup->into, digest, &pruning->err))
		return false;
	backup->report->pruned_blobs++;
	backup->report->pruned_bytes += size_bytes;
	return true;
}

static bool prune(struct backup *backup, struct err *err)
{
	struct pruning pruning = {.backup = backup};
	bool pruned;

	if (!catalog_open(backup->place, &backup->copy, err))
		return false;
	pruning.catalog = backup->copy;
	pruned = blobs_each(backup->into, prune_blob, &pruning, err);
	if (pruned && pruning.err.code != ERR_NONE)
		*err = pruning.err;
	return pruned && pruning.err.code == ERR_NONE;
}

static bool keeps_none(void *context, const char *draft)
{
	(void)context;
	(void)draft;
	return false;
}

bool backup_run(const struct backup_order *order, struct backup_folder *folder, struct backup_report *report,
	struct err *err)
{
	AUTO(finish_backup)
	struct backup backup = {.order = order, .folder = folder, .report = report};
	int64_t before = folder->marker.number;

	*report = (struct backup_report){0};
	backup.marker = (struct backup_marker){.number = before + 1, .is_index = order->is_index};
	backup.place = backup_folder_catalog(folder, backup.marker.number);
	if (!blobs_open(folder->path, &backup.into, err) ||
		!blobs_sweep_drafts(backup.into, keeps_none, NULL, err) || !copy_all(&backup, err) ||
		!settle_database(&backup, err) || !backup_folder_commit(folder, &backup.marker, err))
		return false;
	return (before == 0 || backup_folder_drop(folder, before, err)) &&
	       (!order->prune || order->is_index || prune(&backup, err));
}
