/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/blobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"

enum { RESERVE_BYTES = 4 << 20 };

struct blobs {
	int blobs_fd;  /* data_dir/blobs/sha256 */
	int drafts_fd; /* data_dir/drafts */
	char *reserve; /* data_dir/reserve */
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

bool blobs_open(const char *data_dir, struct blobs **out, struct err *err)
{
	AUTO_FD int blobs_fd = -1;
	AUTO_FD int drafts_fd = -1;
	struct blobs *blobs;

	if (!open_folder(data_dir, "blobs/sha256", &blobs_fd, err) ||
		!open_folder(data_dir, "drafts", &drafts_fd, err) ||
		/* Who made a folder in there may have been killed before its name was durable. */
		!file_sync_folder(blobs_fd, err))
		return false;
	blobs = mem_zero(1, sizeof *blobs);
	blobs->blobs_fd = TAKE_FD(blobs_fd);
	blobs->drafts_fd = TAKE_FD(drafts_fd);
	blobs->reserve = mem_printf("%s/reserve", data_dir);
	*out = blobs;
	return true;
}

void blobs_close(struct blobs *blobs)
{
	if (!blobs)
		return;
	(void)close(blobs->blobs_fd);
	(void)close(blobs->drafts_fd);
	free(blobs->reserve);
	free(blobs);
}

bool blobs_begin(struct blobs *blobs, struct spool **out, struct err *err)
{
	uint8_t random[16];
	char name[2 * sizeof random + 1];

	random_bytes(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		(void)snprintf(name + 2 * i, 3, "%02x", random[i]);
	return spool_create(blobs->drafts_fd, name, out, err);
}

bool blobs_resume(struct blobs *blobs, const char *draft, int64_t length, struct spool **out, struct err *err)
{
	return spool_resume(blobs->drafts_fd, draft, length, out, err);
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

/* The folder of two digits, made durable in its parent before anything is renamed into it. */
static bool open_shard(struct blobs *blobs, const struct digest *digest, int *out_fd, struct err *err)
{
	char shard[3] = {digest->hex[0], digest->hex[1], '\0'};

	if (mkdirat(blobs->blobs_fd, shard, 0750) == 0) {
		if (!file_sync_folder(blobs->blobs_fd, err))
			return false;
	} else if (errno != EEXIST) {
		return err_errno(err, errno, "create folder blobs/sha256/%s", shard);
	}
	*out_fd = openat(blobs->blobs_fd, shard, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out_fd < 0)
		return err_errno(err, errno, "open folder blobs/sha256/%s", shard);
	return true;
}

bool blobs_adopt(struct blobs *blobs, struct spool *spool, const struct digest *digest, struct err *err)
{
	AUTO_FD int shard = -1;

	if (!open_shard(blobs, digest, &shard, err))
		return false;
	/* Whoever follows the spool reads the blob. */
	(void)flock(spool_fd(spool), LOCK_SH);
	if (fchmod(spool_fd(spool), 0440) < 0)
		return err_errno(err, errno, "make blob %s read-only", digest->hex);
	may_block("fsync");
	if (fsync(spool_fd(spool)) < 0)
		return err_errno(err, errno, "make blob %s durable", digest->hex);
	if (renameat(blobs->drafts_fd, spool_name(spool), shard, digest->hex) < 0)
		return err_errno(err, errno, "name blob %s", digest->hex);
	return file_sync_folder(shard, err);
}

bool blobs_return(struct blobs *blobs, struct spool *spool, const struct digest *digest, struct err *err)
{
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

bool blobs_remove(struct blobs *blobs, const struct digest *digest, struct err *err)
{
	if (unlinkat(blobs->blobs_fd, path_of(digest).text, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "remove blob %s", digest->hex);
	return true;
}

bool blobs_offer(struct blobs *blobs, const struct digest *digest, int *out_fd)
{
	AUTO_FD int fd = openat(blobs->blobs_fd, path_of(digest).text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 ? errno != ENOENT : flock(fd, LOCK_EX | LOCK_NB) < 0)
		return false;
	*out_fd = TAKE_FD(fd);
	return true;
}

struct blobs *blobs_lock(struct blobs *blobs)
{
	while (flock(blobs->blobs_fd, LOCK_EX) < 0 && errno == EINTR)
		;
	return blobs;
}

void blobs_unlock(struct blobs *blobs)
{
	if (blobs)
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

bool blobs_sweep_drafts(
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
