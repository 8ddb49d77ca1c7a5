/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/registry/blob_copy.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/folder_lock.h"
#include "server/store/restore_mark.h"

enum { COPIED_AT_ONCE = 256 << 10 };

struct restore {
	const struct restore_order *order;
	const struct backup_folder *folder;
	struct backup_report *report;
	int lock_fd;
	struct blobs *from;
	struct blobs *into;
	struct catalog *catalog;
	struct backup_progress progress;
};

static void finish_restore(struct restore *restore)
{
	catalog_close(restore->catalog);
	blobs_close(restore->into);
	blobs_close(restore->from);
	own_close(&restore->lock_fd);
}

/* ---- where to ---- */

static void own_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* What nobody is to find fault with: who was cut off before the mark was durable has left the lock. */
static bool is_nothing(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0 ||
	       strcmp(name, "lock") == 0;
}

static bool check_empty(const char *data_dir, struct err *err)
{
	AUTO(own_dir) DIR *dir = opendir(data_dir);

	if (!dir)
		return errno == ENOENT || err_errno(err, errno, "list folder %s", data_dir);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		if (!is_nothing(entry->d_name))
			return err_set(err, ERR_CONFLICT,
				"%.200s is not empty: a backup is restored into a new folder, or an empty "
				"one",
				data_dir);
	}
	return true;
}

static bool claim(struct restore *restore, struct err *err)
{
	const char *data_dir = restore->order->data_dir;

	return (restore_mark_is_set(data_dir) || check_empty(data_dir, err)) &&
	       folder_lock_take(data_dir, &restore->lock_fd, err) && restore_mark_set(data_dir, err);
}

/* ---- the database ---- */

static bool copy_file(int from, int to, struct digest *digest, struct err *err)
{
	AUTO_FREE uint8_t *block = mem_zero(1, COPIED_AT_ONCE);
	AUTO_HASHER struct hasher *hasher = hasher_create();
	int64_t offset = 0;
	size_t length;

	do {
		if (!file_read_at(from, block, COPIED_AT_ONCE, offset, &length, err) ||
			!file_write_at(to, block, length, offset, err))
			return false;
		hasher_add(hasher, block, length);
		offset += (int64_t)length;
	} while (length > 0);
	*digest = hasher_result(hasher);
	return fsync(to) == 0 || err_errno(err, errno, "make the database durable");
}

/* What an earlier try has left beside it would be taken for its own. */
static bool remove_database(const char *path, struct err *err)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		AUTO_FREE char *file = mem_printf("%s%s", path, ends[i]);

		if (unlink(file) < 0 && errno != ENOENT)
			return err_errno(err, errno, "remove %s", file);
	}
	return true;
}

/* It has no copy, and whoever wants what is left of it takes it by hand. */
static bool check_database(
	const struct restore *restore, const char *source, const struct digest *digest, struct err *err)
{
	return digest_equal(digest, &restore->folder->marker.database) ||
	       err_set(err, ERR_INTERNAL,
		       "%.200s is damaged: it does not have the digest that it had. Restore another backup",
		       source);
}

static bool copy_database(struct restore *restore, struct err *err)
{
	AUTO_FREE char *place = backup_folder_catalog(restore->folder, restore->folder->marker.number);
	AUTO_FREE char *source = mem_printf("%s/larder.db", place);
	AUTO_FREE char *target = mem_printf("%s/larder.db", restore->order->data_dir);
	AUTO_FD int from = open(source, O_RDONLY | O_CLOEXEC);
	AUTO_FD int to = -1;
	struct digest digest;

	if (from < 0)
		return err_errno(err, errno, "open %s", source);
	if (!remove_database(target, err))
		return false;
	to = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (to < 0)
		return err_errno(err, errno, "make %s", target);
	return copy_file(from, to, &digest, err) && check_database(restore, source, &digest, err) &&
	       catalog_open(restore->order->data_dir, &restore->catalog, err) &&
	       catalog_measure_blobs(
		       restore->catalog, &restore->progress.total_blobs, &restore->progress.total_bytes, err);
}

/* ---- the blobs ---- */

static bool leave_out(
	struct restore *restore, const struct pass_blob *blob, const struct err *why, struct err *err)
{
	const struct backup_watch *watch = &restore->order->watch;
	AUTO_FREE struct name *names = NULL;
	size_t count;

	if (!catalog_list_blob_names(restore->catalog, blob->id, &names, &count, err) ||
		!catalog_forget_blob(restore->catalog, &blob->digest, err))
		return false;
	restore->report->faulty++;
	if (watch->faulty)
		watch->faulty(watch->context, blob, names, count, why->text);
	return true;
}

static bool bring_blob(struct restore *restore, const struct pass_blob *blob, struct err *err)
{
	struct err why;

	/* One that is there was verified by the try before. */
	if (backup_has_blob(restore->into, blob, false, restore->order->rate))
		return true;
	if (backup_copy_blob(restore->from, blob, restore->into, false, restore->order->rate, &why)) {
		restore->report->new_blobs++;
		restore->report->new_bytes += blob->size_bytes;
		return true;
	}
	if (!blob_copy_is_blamed(&why)) {
		*err = why;
		return false;
	}
	return leave_out(restore, blob, &why, err);
}

static bool bring_blobs(struct restore *restore, struct err *err)
{
	const struct backup_watch *watch = &restore->order->watch;
	struct pass_blob blob = {0};

	for (;;) {
		if (!catalog_next_blob(restore->catalog, blob.id ? &blob.digest : NULL, &blob, err))
			return false;
		if (blob.id == 0)
			return true;
		if (watch->progressed)
			watch->progressed(watch->context, "restoring", &restore->progress);
		if (!bring_blob(restore, &blob, err))
			return false;
		restore->progress.blobs++;
		restore->progress.bytes += blob.size_bytes;
	}
}

static bool keeps_none(void *context, const char *draft)
{
	(void)context;
	(void)draft;
	return false;
}

bool restore_run(const struct restore_order *order, const struct backup_folder *folder,
	struct backup_report *report, struct err *err)
{
	AUTO(finish_restore)
	struct restore restore = {.order = order, .folder = folder, .report = report, .lock_fd = -1};

	*report = (struct backup_report){0};
	if (!claim(&restore, err) || !blobs_open(folder->path, &restore.from, err) ||
		!blobs_open(order->data_dir, &restore.into, err) ||
		!blobs_sweep_drafts(restore.into, keeps_none, NULL, err) || !copy_database(&restore, err) ||
		!bring_blobs(&restore, err))
		return false;
	/* Folds the write-ahead log into the file, durably. */
	catalog_close(TAKE(restore.catalog));
	return restore_mark_remove(order->data_dir, err);
}
