/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/medium.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"

enum { COMPARED_BYTES = 16384 };

/* The medium, and not what is on it. */
static bool is_lost(int number)
{
	return number == EIO || number == ENODEV || number == ENXIO || number == ESTALE;
}

bool medium_failed(struct err *err, int number, const char *path)
{
	if (number == ENOSPC || number == EDQUOT)
		return err_set(err, ERR_NO_SPACE,
			"%.200s: the medium is full. Make room there, and the same command goes on where it "
			"was; or use a larger one, or --split with several",
			path);
	if (number == EFBIG)
		return err_set(err, ERR_NO_SPACE,
			"%.200s: the medium takes no file of this size. With --split, such as -o FILE.tar "
			"--split 4000M, a bundle is several files",
			path);
	if (is_lost(number) || number == EROFS)
		return err_set(err, ERR_INTERNAL,
			"%.200s: the medium takes nothing any more (%s): was it pulled out, or is it worn? "
			"Nobody is to take what is there for whole; the same command goes on where it was",
			path, strerror(number));
	return err_errno(err, number, "write %.200s", path);
}

bool medium_explain(struct err *err, int number, const char *path)
{
	bool is_full = number == ENOSPC || number == EDQUOT;

	return is_full || is_lost(number) || number == EROFS ? medium_failed(err, number, path) : false;
}

bool medium_unread(struct err *err, int number, const char *what, const char *path)
{
	if (!is_lost(number))
		return err_errno(err, number, "%s %.200s", what, path);
	return err_set(err, ERR_INTERNAL,
		"%.230s: the medium cannot be read (%s): was it pulled out, or is it worn? Put it in, and "
		"the same command goes on; where it fails again, copy the bundle again",
		path, strerror(number));
}

bool medium_read(int fd, const char *path, void *bytes, size_t length, int64_t offset, size_t *out_read,
	struct err *err)
{
	char *next = bytes;
	size_t done = 0;
	ssize_t got = 1;

	while (done < length && got != 0) {
		got = pread(fd, next + done, length - done, offset + (int64_t)done);
		if (got < 0 && errno != EINTR)
			return medium_unread(err, errno, "read", path);
		done += got > 0 ? (size_t)got : 0;
	}
	*out_read = done;
	return true;
}

bool medium_write(int fd, const char *path, const void *bytes, size_t length, int64_t offset, struct err *err)
{
	int failure = file_put_at(fd, bytes, length, offset);

	return failure == 0 || medium_failed(err, failure, path);
}

static bool is_there(int fd, const char *bytes, size_t length, int64_t offset)
{
	char block[COMPARED_BYTES];
	struct err err;
	size_t got;

	return file_read_at(fd, block, length, offset, &got, &err) && got == length &&
	       memcmp(block, bytes, length) == 0;
}

bool medium_differs(struct err *err, const char *path)
{
	return err_set(err, ERR_CONFLICT, "%.200s has other bytes than this bundle", path);
}

bool medium_has(int fd, const void *bytes, size_t length, int64_t offset)
{
	const char *next = bytes;
	bool same = true;

	while (same && length > 0) {
		size_t part = length < COMPARED_BYTES ? length : COMPARED_BYTES;

		same = is_there(fd, next, part, offset);
		next += part;
		offset += (int64_t)part;
		length -= part;
	}
	return same;
}

bool medium_write_over(int fd, const char *path, const void *bytes, size_t length, int64_t offset,
	int64_t known_end, struct err *err)
{
	const char *next = bytes;

	while (length > 0) {
		size_t part = length < COMPARED_BYTES ? length : COMPARED_BYTES;

		if (offset + (int64_t)part > known_end)
			break;
		if (!is_there(fd, next, part, offset) && !medium_write(fd, path, next, part, offset, err))
			return false;
		next += part;
		offset += (int64_t)part;
		length -= part;
	}
	return medium_write(fd, path, next, length, offset, err);
}

bool medium_create(int folder_fd, const char *folder, const char *name, int *out_fd, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/%s", folder, name);

	if (unlinkat(folder_fd, name, 0) < 0 && errno != ENOENT)
		return medium_failed(err, errno, path);
	*out_fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	return *out_fd >= 0 || medium_failed(err, errno, path);
}

bool medium_replace(
	int folder_fd, const char *folder, const char *name, const char *text, size_t length, struct err *err)
{
	AUTO_FREE char *draft = mem_printf(".%s.part", name);
	AUTO_FREE char *path = mem_printf("%s/%s", folder, name);
	AUTO_FD int fd = -1;

	if (!medium_create(folder_fd, folder, draft, &fd, err))
		return false;
	if (!medium_write(fd, path, text, length, 0, err))
		return false;
	if (fsync(fd) < 0 || renameat(folder_fd, draft, folder_fd, name) < 0 || fsync(folder_fd) < 0)
		return medium_failed(err, errno, path);
	return true;
}

bool medium_lock(int fd, const char *path, struct err *err)
{
	/* Media that know no locks are nobody else's, either. */
	return flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK ||
	       err_set(err, ERR_CONFLICT,
		       "%.200s is being written by another export: let that end, or name another with -o",
		       path);
}
