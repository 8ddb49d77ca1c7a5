/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/outgoing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"

struct outgoing {
	char *path;
	int fd;      /* of the folder, locked as long as it is in use */
	int data_fd; /* the data folder */
};

/* "blobs/sha256/ab/ab12…" */
struct blob_path {
	char text[96];
};

static struct blob_path path_of(const struct digest *digest)
{
	struct blob_path path;

	(void)snprintf(path.text, sizeof path.text, "blobs/sha256/%.2s/%s", digest->hex, digest->hex);
	return path;
}

/* ---- the folder ---- */

static void own_dir(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}

static void empty(int fd)
{
	int copy = dup(fd);
	AUTO(own_dir) DIR *folder = copy < 0 ? NULL : fdopendir(copy);

	if (!folder)
		return;
	rewinddir(folder);
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		if (entry->d_name[0] != '.')
			(void)unlinkat(fd, entry->d_name, 0);
	}
}

/* A sweeper may have come between the making and the locking. */
static bool make_folder(const char *parent, struct outgoing *out, struct err *err)
{
	struct stat status;

	for (int tries = 0; tries < 100; tries++) {
		free(out->path);
		out->path = mem_printf("%s/XXXXXX", parent);
		own_close(&out->fd);
		out->fd = -1;
		if (!mkdtemp(out->path))
			return err_errno(err, errno, "create a folder in %s", parent);
		out->fd = open(out->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (out->fd >= 0 && flock(out->fd, LOCK_EX | LOCK_NB) == 0 && fstat(out->fd, &status) == 0 &&
			status.st_nlink > 0)
			return true;
	}
	return err_set(err, ERR_BUSY, "the folders in %s vanish again: try once more", parent);
}

bool outgoing_open(const char *data_dir, struct outgoing **out, struct err *err)
{
	AUTO_FREE char *parent = mem_printf("%s/outgoing", data_dir);
	AUTO_OUTGOING struct outgoing *outgoing = mem_zero(1, sizeof *outgoing);

	outgoing->fd = -1;
	outgoing->data_fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (outgoing->data_fd < 0)
		return err_errno(err, errno, "open folder %s", data_dir);
	if (!file_make_folders(parent, err) || !make_folder(parent, outgoing, err))
		return false;
	*out = TAKE(outgoing);
	return true;
}

void outgoing_close(struct outgoing *outgoing)
{
	if (!outgoing)
		return;
	if (outgoing->fd >= 0) {
		empty(outgoing->fd);
		(void)rmdir(outgoing->path);
	}
	own_close(&outgoing->fd);
	own_close(&outgoing->data_fd);
	free(outgoing->path);
	free(outgoing);
}

/* ---- what is in it ---- */

static bool is_without_links(int number)
{
	return number == EPERM || number == EOPNOTSUPP || number == EMLINK || number == EXDEV;
}

bool outgoing_hold(struct outgoing *outgoing, const struct digest *digest, struct err *err)
{
	struct blob_path path = path_of(digest);

	if (linkat(outgoing->data_fd, path.text, outgoing->fd, digest->hex, 0) == 0 || errno == EEXIST)
		return true;
	if (is_without_links(errno) && faccessat(outgoing->data_fd, path.text, R_OK, 0) == 0)
		return true;
	return err_errno(err, errno, "hold blob %s", digest->hex);
}

bool outgoing_read(struct outgoing *outgoing, const struct digest *digest, int *out_fd, int64_t *out_size,
	struct err *err)
{
	AUTO_FD int fd = openat(outgoing->fd, digest->hex, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;

	if (fd < 0)
		fd = openat(outgoing->data_fd, path_of(digest).text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &status) < 0)
		return err_errno(err, errno, "open blob %s", digest->hex);
	*out_size = status.st_size;
	*out_fd = TAKE_FD(fd);
	return true;
}

bool outgoing_make_file(struct outgoing *outgoing, int *out_fd, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/noteXXXXXX", outgoing->path);
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "create a file in %s", outgoing->path);
	(void)unlink(path);
	*out_fd = fd;
	return true;
}

/* ---- what others left ---- */

static void sweep_folder(int parent, const char *name)
{
	AUTO_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	empty(fd);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

bool outgoing_sweep(const char *data_dir, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/outgoing", data_dir);
	AUTO(own_dir) DIR *parent = opendir(path);

	if (!parent)
		return errno == ENOENT || err_errno(err, errno, "list folder %s", path);
	for (struct dirent *entry = readdir(parent); entry; entry = readdir(parent)) {
		if (entry->d_name[0] != '.')
			sweep_folder(dirfd(parent), entry->d_name);
	}
	return true;
}
