/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/blobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"

enum { RESERVE_BYTES = 4 << 20, SHARDS = 256 };

static const struct lock_place lock_place = {"blobs", RANK_BLOBS, .slow = true};

struct blobs {
	struct lock mutex;           /* held while blobs_fd becomes durable */
	atomic_bool made[SHARDS];    /* which folders are there, */
	atomic_bool durable[SHARDS]; /* … for certain */
	int blobs_fd;                /* data_dir/blobs/sha256 */
	int drafts_fd;               /* data_dir/drafts */
	char *reserve;               /* data_dir/reserve */
	char *data_dir;
};

/* "ab/ab12…" below blobs/sha256. */
struct blob_path {
	char text[68];
};

static struct blob_path path_of(const struct digest *digest)
{
	struct blob_path path;

	(void)snprintf(path.text, sizeof path.text, "%.2s/%s", digest->hex, digest->hex);
	return path;
}

static bool open_folder(const char *data_dir, const char *name, int *out_fd, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/%s", data_dir, name);

	if (!file_make_folders(path, err))
		return false;
	*out_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out_fd < 0)
		return err_errno(err, errno, "open folder %s", path);
	return true;
}

/* "ab", the n-th of the folders. */
struct shard_name {
	char text[3];
};

static struct shard_name shard_name(unsigned number)
{
	static const char digits[] = "0123456789abcdef";

	return (struct shard_name){{digits[number / 16 % 16], digits[number % 16], '\0'}};
}

/* Before the folder is synchronized: what is there then is durable. */
static void note_shards(struct blobs *blobs)
{
	for (unsigned i = 0; i < SHARDS; i++)
		atomic_init(&blobs->durable[i], faccessat(blobs->blobs_fd, shard_name(i).text, F_OK, 0) == 0);
}

bool blobs_open(const char *data_dir, struct blobs **out, struct err *err)
{
	AUTO_BLOBS struct blobs *blobs = mem_zero(1, sizeof *blobs);

	lock_init(&blobs->mutex, &lock_place);
	blobs->blobs_fd = blobs->drafts_fd = -1;
	blobs->reserve = mem_printf("%s/reserve", data_dir);
	blobs->data_dir = mem_dup(data_dir);
	if (!open_folder(data_dir, "blobs/sha256", &blobs->blobs_fd, err) ||
		!open_folder(data_dir, "drafts", &blobs->drafts_fd, err))
		return false;
	note_shards(blobs);
	/* Who made a folder in there may have been killed before its name was durable. */
	if (!file_sync_folder(blobs->blobs_fd, err))
		return false;
	*out = TAKE(blobs);
	return true;
}

void blobs_close(struct blobs *blobs)
{
	if (!blobs)
		return;
	own_close(&blobs->blobs_fd);
	own_close(&blobs->drafts_fd);
	lock_finish(&blobs->mutex);
	free(blobs->reserve);
	free(blobs->data_dir);
	free(blobs);
}

bool blobs_open_new(struct blobs *blobs, struct spool *spool, struct err *err)
{
	uint8_t random[16];
	char name[2 * sizeof random + 1];

	random_bytes(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		(void)snprintf(name + 2 * i, 3, "%02x", random[i]);
	return spool_open_new(spool, blobs->drafts_fd, name, err);
}

bool blobs_begin(struct blobs *blobs, struct spool **out, struct err *err)
{
	AUTO_SPOOL struct spool *spool = spool_create_unopened();

	if (!blobs_open_new(blobs, spool, err))
		return false;
	*out = TAKE(spool);
	return true;
}

bool blobs_open_draft(
	struct blobs *blobs, const char *draft, int64_t length, struct spool *spool, struct err *err)
{
	return spool_open_draft(spool, blobs->drafts_fd, draft, length, err);
}

bool blobs_remove_draft(struct blobs *blobs, const char *draft, struct err *err)
{
	if (unlinkat(blobs->drafts_fd, draft, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "remove draft %s", draft);
	return true;
}

bool blobs_draft_size(struct blobs *blobs, const char *draft, int64_t *out_bytes, struct err *err)
{
	struct stat status;

	if (fstatat(blobs->drafts_fd, draft, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "look at draft %s", draft);
	*out_bytes = status.st_size;
	return true;
}

/* Whoever comes meanwhile has made his folder before the next one begins. */
static bool make_durable(struct blobs *blobs, struct err *err)
{
	bool made[SHARDS];

	lock_expect(&blobs->mutex);
	for (unsigned i = 0; i < SHARDS; i++)
		made[i] = atomic_load(&blobs->made[i]);
	if (!file_sync_folder(blobs->blobs_fd, err))
		return false;
	for (unsigned i = 0; i < SHARDS; i++) {
		if (made[i])
			atomic_store(&blobs->durable[i], true);
	}
	return true;
}

/* The folder of two digits, durable in its parent before anything is renamed into it. */
static bool make_shard(struct blobs *blobs, const struct digest *digest, struct err *err)
{
	unsigned number = digest->bytes[0];
	struct shard_name name = shard_name(number);
	bool is_new = mkdirat(blobs->blobs_fd, name.text, 0750) == 0;

	if (!is_new && errno != EEXIST)
		return err_errno(err, errno, "create folder blobs/sha256/%s", name.text);
	/* Somebody has removed what was there. */
	if (is_new)
		atomic_store(&blobs->durable[number], false);
	atomic_store(&blobs->made[number], true);
	LOCKED(&blobs->mutex);
	return atomic_load(&blobs->durable[number]) || make_durable(blobs, err);
}

/* Needs no descriptor: those who have them all may be waiting for just this. */
static bool sync_shard(const struct blobs *blobs, const struct digest *digest, struct err *err)
{
	struct shard_name name = shard_name(digest->bytes[0]);
	AUTO_FD int shard = openat(blobs->blobs_fd, name.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (shard >= 0)
		return file_sync_folder(shard, err);
	if (errno != EMFILE && errno != ENFILE)
		return err_errno(err, errno, "open folder blobs/sha256/%s", name.text);
	return syncfs(blobs->blobs_fd) == 0 || err_errno(err, errno, "make blob %s durable", digest->hex);
}

bool blobs_prepare(struct spool *spool, struct err *err)
{
	int64_t begun_us;

	/* Whoever follows the spool reads the blob. */
	(void)flock(spool_fd(spool), LOCK_SH);
	if (fchmod(spool_fd(spool), 0440) < 0)
		return err_errno(err, errno, "make draft %s read-only", spool_name(spool));
	may_block("fsync");
	begun_us = clock_monotonic_us();
	if (fsync(spool_fd(spool)) < 0)
		return err_errno(err, errno, "make draft %s durable", spool_name(spool));
	metric_observe(HISTOGRAM_FSYNC, clock_monotonic_us() - begun_us);
	return true;
}

bool blobs_adopt(struct blobs *blobs, struct spool *spool, const struct digest *digest, struct err *err)
{
	if (!make_shard(blobs, digest, err))
		return false;
	if (renameat(blobs->drafts_fd, spool_name(spool), blobs->blobs_fd, path_of(digest).text) < 0)
		return err_errno(err, errno, "name blob %s", digest->hex);
	/* Where both were one file already, it has kept both names. */
	(void)unlinkat(blobs->drafts_fd, spool_name(spool), 0);
	return sync_shard(blobs, digest, err);
}

/* Another process may have to write on. */
bool blobs_return(struct blobs *blobs, struct spool *spool, const struct digest *digest, struct err *err)
{
	(void)fchmod(spool_fd(spool), 0640);
	return linkat(blobs->blobs_fd, path_of(digest).text, blobs->drafts_fd, spool_name(spool), 0) == 0 ||
	       err_errno(err, errno, "make blob %s a draft again", digest->hex);
}

bool blobs_read(
	struct blobs *blobs, const struct digest *digest, int *out_fd, int64_t *out_size, struct err *err)
{
	AUTO_FD int fd = openat(blobs->blobs_fd, path_of(digest).text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;

	if (fd < 0)
		return err_errno(err, errno, "open blob %s", digest->hex);
	/* The kernel keeps the table of who reads what: a lock goes with the last descriptor, whoever has it.
	 * Where the blob is being removed just now, its bytes can be read all the same. */
	if (flock(fd, LOCK_SH) < 0 || fstat(fd, &status) < 0)
		return err_errno(err, errno, "look at blob %s", digest->hex);
	*out_size = status.st_size;
	*out_fd = TAKE_FD(fd);
	return true;
}

bool blobs_peek(struct blobs *blobs, const struct digest *digest, int *out_fd, struct err *err)
{
	int fd = openat(blobs->blobs_fd, path_of(digest).text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return err_errno(err, errno, "open blob %s", digest->hex);
	*out_fd = fd;
	return true;
}

bool blobs_remove(struct blobs *blobs, const struct digest *digest, struct err *err)
{
	if (unlinkat(blobs->blobs_fd, path_of(digest).text, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "remove blob %s", digest->hex);
	return true;
}

bool blobs_size(struct blobs *blobs, const struct digest *digest, int64_t *out_bytes, struct err *err)
{
	struct stat status;

	if (fstatat(blobs->blobs_fd, path_of(digest).text, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "look at blob %s", digest->hex);
	*out_bytes = status.st_size;
	return true;
}

bool blobs_link(struct blobs *blobs, const struct digest *digest, struct blobs *into, struct err *err)
{
	struct blob_path path = path_of(digest);

	if (!make_shard(into, digest, err))
		return false;
	if (linkat(blobs->blobs_fd, path.text, into->blobs_fd, path.text, 0) < 0 && errno != EEXIST)
		return errno == EXDEV
			       ? err_set(err, ERR_BAD_REQUEST,
					 "hard links need both folders on one file system: leave --link out")
			       : err_errno(err, errno, "link blob %s", digest->hex);
	return sync_shard(into, digest, err);
}

bool blobs_is_file(struct blobs *blobs, const struct digest *digest, int fd)
{
	struct stat named;
	struct stat open;

	return fstatat(blobs->blobs_fd, path_of(digest).text, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &open) == 0 && named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

bool blobs_put_aside(struct blobs *blobs, const struct digest *digest, struct err *err)
{
	AUTO_FD int folder = -1;

	if (!open_folder(blobs->data_dir, "damaged", &folder, err))
		return false;
	if (renameat(blobs->blobs_fd, path_of(digest).text, folder, digest->hex) < 0)
		return err_errno(err, errno, "put blob %s aside", digest->hex);
	return file_sync_folder(folder, err) && sync_shard(blobs, digest, err);
}

bool blobs_offer(struct blobs *blobs, const struct digest *digest, int *out_fd)
{
	AUTO_FD int fd = openat(blobs->blobs_fd, path_of(digest).text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 ? errno != ENOENT : flock(fd, LOCK_EX | LOCK_NB) < 0)
		return false;
	*out_fd = TAKE_FD(fd);
	return true;
}

bool blobs_is_sole(struct blobs *blobs, const struct digest *digest)
{
	struct stat status;

	return fstatat(blobs->blobs_fd, path_of(digest).text, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	       status.st_nlink <= 1;
}

void blobs_lock(struct blobs *blobs, bool shared)
{
	while (flock(blobs->blobs_fd, shared ? LOCK_SH : LOCK_EX) < 0 && errno == EINTR)
		;
}

void blobs_unlock(struct blobs *blobs)
{
	(void)flock(blobs->blobs_fd, LOCK_UN);
}

void blobs_fill_reserve(struct blobs *blobs)
{
	AUTO_FD int fd = open(blobs->reserve, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || status.st_size == RESERVE_BYTES)
		return;
	/* Half of it would be of no use, and could be what somebody else lacks. */
	if (posix_fallocate(fd, 0, RESERVE_BYTES) != 0)
		(void)unlink(blobs->reserve);
}

bool blobs_spend_reserve(struct blobs *blobs)
{
	return unlink(blobs->reserve) == 0;
}

static void own_dir(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}

static DIR *list_folder(int parent, const char *name, struct err *err)
{
	AUTO_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (!folder) {
		(void)err_errno(err, errno, "list folder %s", name);
		return NULL;
	}
	(void)TAKE_FD(fd);
	return folder;
}

bool blobs_hold_drafts(struct blobs *blobs, struct err *err)
{
	while (flock(blobs->drafts_fd, LOCK_SH) < 0) {
		if (errno != EINTR)
			return err_errno(err, errno, "lock the folder of drafts");
	}
	return true;
}

static bool sweep_drafts(
	struct blobs *blobs, bool (*keep)(void *context, const char *draft), void *context, struct err *err)
{
	AUTO(own_dir) DIR *folder = list_folder(blobs->drafts_fd, ".", err);

	if (!folder)
		return false;
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		if (entry->d_name[0] == '.' || keep(context, entry->d_name))
			continue;
		if (!blobs_remove_draft(blobs, entry->d_name, err))
			return false;
	}
	return true;
}

bool blobs_sweep_drafts(
	struct blobs *blobs, bool (*keep)(void *context, const char *draft), void *context, struct err *err)
{
	bool swept;

	/* What that process leaves is for a later start. */
	if (flock(blobs->drafts_fd, LOCK_EX | LOCK_NB) < 0)
		return true;
	swept = sweep_drafts(blobs, keep, context, err);
	(void)flock(blobs->drafts_fd, LOCK_UN);
	return swept;
}

static bool visit_entry(DIR *folder, const char *name,
	bool (*visit)(void *context, const struct digest *digest, int64_t size_bytes), void *context)
{
	struct digest digest;
	struct stat status;

	if (!digest_parse(name, &digest) || fstatat(dirfd(folder), name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return true;
	return !S_ISREG(status.st_mode) || visit(context, &digest, status.st_size);
}

bool blobs_each(struct blobs *blobs,
	bool (*visit)(void *context, const struct digest *digest, int64_t size_bytes), void *context,
	struct err *err)
{
	AUTO(own_dir) DIR *shards = list_folder(blobs->blobs_fd, ".", err);
	bool more = true;

	if (!shards)
		return false;
	for (struct dirent *shard = readdir(shards); shard && more; shard = readdir(shards)) {
		AUTO(own_dir) DIR *folder = NULL;

		if (shard->d_name[0] == '.' || strlen(shard->d_name) != 2)
			continue;
		folder = list_folder(blobs->blobs_fd, shard->d_name, err);
		if (!folder)
			return false;
		for (struct dirent *entry = readdir(folder); entry && more; entry = readdir(folder))
			more = visit_entry(folder, entry->d_name, visit, context);
	}
	return true;
}

bool blobs_free_bytes(struct blobs *blobs, int64_t *out_bytes, struct err *err)
{
	struct statvfs status;

	if (fstatvfs(blobs->drafts_fd, &status) < 0)
		return err_errno(err, errno, "ask for the free space");
	*out_bytes = (int64_t)status.f_bavail * (int64_t)status.f_frsize;
	return true;
}
