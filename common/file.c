/* SPDX-License-Identifier: Apache-2.0 */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"

enum { PROBE_BYTES = 256 << 10, PROBES_MAX = 1024 };

int file_put_at(int fd, const void *bytes, size_t length, int64_t offset)
{
	const char *next = bytes;

	while (length > 0) {
		ssize_t written = pwrite(fd, next, length, offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return errno;
		next += written;
		offset += written;
		length -= (size_t)written;
	}
	return 0;
}

bool file_write_at(int fd, const void *bytes, size_t length, int64_t offset, struct err *err)
{
	int failure = file_put_at(fd, bytes, length, offset);

	return failure == 0 || err_errno(err, failure, "write %zu bytes", length);
}

bool file_read_at(int fd, void *bytes, size_t length, int64_t offset, size_t *out_read, struct err *err)
{
	char *next = bytes;
	size_t done = 0;

	while (done < length) {
		ssize_t got = pread(fd, next + done, length - done, offset + (int64_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "read %zu bytes", length);
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*out_read = done;
	return true;
}

bool file_has_at_hand(int fd, int64_t offset)
{
	char byte;
	const struct iovec place = {&byte, 1};
	ssize_t got = preadv2(fd, &place, 1, offset, RWF_NOWAIT);

	if (got < 0 && errno == EOPNOTSUPP)
		got = pread(fd, &byte, 1, offset);
	return got == 1;
}

bool file_part_at_hand(int fd, int64_t offset, int64_t length)
{
	int64_t step = length / PROBES_MAX > PROBE_BYTES ? length / PROBES_MAX : PROBE_BYTES;

	for (int64_t at = 0; at < length; at += step) {
		if (!file_has_at_hand(fd, offset + at))
			return false;
	}
	return length == 0 || file_has_at_hand(fd, offset + length - 1);
}

bool file_read_at_hand(
	int fd, void *bytes, size_t length, int64_t offset, size_t *out_read, bool *out_cold, struct err *err)
{
	const struct iovec place = {bytes, length};
	ssize_t got = preadv2(fd, &place, 1, offset, RWF_NOWAIT);

	*out_cold = got < 0 && errno == EAGAIN;
	if (got < 0 && errno == EOPNOTSUPP)
		return file_read_at(fd, bytes, length, offset, out_read, err);
	if (got < 0 && !*out_cold)
		return err_errno(err, errno, "read %zu bytes", length);
	*out_read = got < 0 ? 0 : (size_t)got;
	return true;
}

bool file_read_all(const char *path, size_t limit, struct buffer *out, struct err *err)
{
	/* A pipe that has this name fails when it is read, and nobody waits for it. */
	AUTO_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	AUTO_BUFFER struct buffer all = {0};
	char block[16384];
	size_t got = sizeof block;

	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	while (got == sizeof block) {
		if (!file_read_at(fd, block, sizeof block, (int64_t)all.length, &got, err))
			return err_prefix(err, "%s: ", path);
		if (all.length + got > limit)
			return err_set(err, ERR_TOO_LARGE, "%s is larger than %zu bytes", path, limit);
		buffer_add(&all, block, got);
	}
	buffer_add(out, all.data, all.length);
	return true;
}

/* Makes a folder's name durable in the one that holds it. Where that may not be opened, or is on a disk that
 * keeps nothing or never changes, there is nothing to be done. */
static bool sync_parent(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *parent =
		slash ? mem_dup_n(path, slash == path ? 1 : (size_t)(slash - path)) : mem_dup(".");
	AUTO_FD int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == EACCES || err_errno(err, errno, "open folder %s", parent);
	if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		return err_errno(err, errno, "make the names in %s durable", parent);
	return true;
}

static bool make_folder(const char *path, unsigned mode, struct err *err)
{
	struct stat status;

	if (mkdir(path, mode) == 0)
		return sync_parent(path, err);
	if (errno != EEXIST)
		return err_errno(err, errno, "create folder %s", path);
	if (stat(path, &status) < 0)
		return err_errno(err, errno, "look at %s", path);
	if (!S_ISDIR(status.st_mode))
		return err_set(err, ERR_INTERNAL, "%s is in the way: it is not a folder", path);
	return true;
}

static bool make_folders(const char *path, unsigned mode, struct err *err)
{
	AUTO_FREE char *part = mem_dup(path);

	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (!make_folder(part, mode, err))
			return false;
		*slash = '/';
	}
	/* Who made it may have been killed before its name was durable. */
	return make_folder(path, mode, err) && sync_parent(path, err);
}

bool file_make_folders(const char *path, struct err *err)
{
	return make_folders(path, 0750, err);
}

bool file_make_open_folders(const char *path, struct err *err)
{
	return make_folders(path, 0777, err);
}

bool file_sync_folder(int folder_fd, struct err *err)
{
	if (fsync(folder_fd) < 0)
		return err_errno(err, errno, "make a folder's names durable");
	return true;
}

bool file_open_standard(struct err *err)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY);
		if (fd < 0)
			return err_errno(err, errno, "open /dev/null");
	} while (fd <= STDERR_FILENO);
	(void)close(fd);
	return true;
}
