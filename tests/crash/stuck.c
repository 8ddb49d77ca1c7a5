/* SPDX-License-Identifier: Apache-2.0
 *
 * To be preloaded (LD_PRELOAD): a disk that makes nothing durable while the file $STUCK_WHILE is there. Each
 * call that waits for that adds a line with its path to $STUCK_LOG, and each that is done one with a "+"
 * before it. While the file $STUCK_WRITING is there, nothing is written out early either (sync_file_range).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void write_down(const char *mark, int fd)
{
	const char *log = getenv("STUCK_LOG");
	char link[64], path[PATH_MAX], line[PATH_MAX + 8];
	ssize_t length;
	int out;

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof path - 1);
	if (!log || length <= 0 || (out = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0)
		return;
	path[length] = '\0';
	length = snprintf(line, sizeof line, "%s%s\n", mark, path);
	if (write(out, line, (size_t)length) != length)
		abort();
	(void)close(out);
}

static void wait_while_there(const char *path)
{
	const struct timespec moment = {.tv_nsec = 2 * 1000 * 1000};

	while (path && access(path, F_OK) == 0)
		(void)nanosleep(&moment, NULL);
}

static void wait_while_stuck(int fd)
{
	const char *path = getenv("STUCK_WHILE");
	int error = errno;

	if (path && access(path, F_OK) == 0)
		write_down("", fd);
	wait_while_there(path);
	write_down("+", fd);
	errno = error;
}

int sync_file_range(int fd, off_t offset, off_t length, unsigned flags)
{
	wait_while_there(getenv("STUCK_WRITING"));
	return REAL(sync_file_range)(fd, offset, length, flags);
}

int fsync(int fd)
{
	wait_while_stuck(fd);
	return REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	wait_while_stuck(fd);
	return REAL(fdatasync)(fd);
}
