/* SPDX-License-Identifier: Apache-2.0
 *
 * To be preloaded (LD_PRELOAD): writes down in $FORGETFUL_LOG each name that a program makes, moves or
 * removes and each fsync, one line each, so that support/power.py can take away what a disk would have
 * forgotten.
 *
 *     C path        a file is made       M path        a folder is made     R from to   a name is moved
 *     U path        a name is removed    S path        a folder is synced   F path      a file is synced
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void write_down(char what, const char *first, const char *second)
{
	const char *path = getenv("FORGETFUL_LOG");
	char line[3 * PATH_MAX];
	int error = errno;
	int length, fd;

	if (!path || (fd = REAL(open)(path, O_WRONLY | O_APPEND | O_CLOEXEC)) < 0) {
		errno = error;
		return;
	}
	length = snprintf(
		line, sizeof line, "%c\t%s%s%s\n", what, first, second ? "\t" : "", second ? second : "");
	if (write(fd, line, (size_t)length) != length)
		abort();
	(void)close(fd);
	errno = error;
}

/* The whole path of a name in a folder. */
static void whole(int folder, const char *name, char out[2 * PATH_MAX])
{
	char base[PATH_MAX] = "";
	char link[64];
	ssize_t length = 0;

	if (name[0] == '/') {
		(void)snprintf(out, 2 * PATH_MAX, "%s", name);
		return;
	}
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
	if (folder == AT_FDCWD)
		(void)getcwd(base, sizeof base);
	else if ((length = readlink(link, base, sizeof base - 1)) > 0)
		base[length] = '\0';
	(void)snprintf(out, 2 * PATH_MAX, "%s/%s", base, name);
}

/* Before it is done: what is written down and not done does no harm. */
static void note(char what, int folder, const char *name)
{
	char path[2 * PATH_MAX];

	whole(folder, name, path);
	write_down(what, path, NULL);
}

static void note_move(int from_folder, const char *from, int to_folder, const char *to)
{
	char first[2 * PATH_MAX], second[2 * PATH_MAX];

	whole(from_folder, from, first);
	whole(to_folder, to, second);
	write_down('R', first, second);
}

static void note_open(int folder, const char *name, int flags)
{
	if ((flags & O_CREAT) && faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		note('C', folder, name);
}

static int note_sync(int fd, int result)
{
	char link[64], path[PATH_MAX];
	struct stat status;
	ssize_t length;

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof path - 1);
	if (result == 0 && length > 0 && fstat(fd, &status) == 0) {
		path[length] = '\0';
		write_down(S_ISDIR(status.st_mode) ? 'S' : 'F', path, NULL);
	}
	return result;
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		va_list arguments; \
		mode_t mode; \
\
		va_start(arguments, flags); \
		mode = mode_of(flags, arguments); \
		va_end(arguments); \
		note_open(AT_FDCWD, path, flags); \
		return REAL(name)(path, flags, mode); \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
	int name(int folder, const char *path, int flags, ...) \
	{ \
		va_list arguments; \
		mode_t mode; \
\
		va_start(arguments, flags); \
		mode = mode_of(flags, arguments); \
		va_end(arguments); \
		note_open(folder, path, flags); \
		return REAL(name)(folder, path, flags, mode); \
	}
OPENAT(openat)
OPENAT(openat64)

int mkdir(const char *path, mode_t mode)
{
	if (access(path, F_OK) < 0)
		note('M', AT_FDCWD, path);
	return REAL(mkdir)(path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode)
{
	if (faccessat(folder, path, F_OK, 0) < 0)
		note('M', folder, path);
	return REAL(mkdirat)(folder, path, mode);
}

int rename(const char *from, const char *to)
{
	note_move(AT_FDCWD, from, AT_FDCWD, to);
	return REAL(rename)(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	note_move(from_folder, from, to_folder, to);
	return REAL(renameat)(from_folder, from, to_folder, to);
}

int unlink(const char *path)
{
	note('U', AT_FDCWD, path);
	return REAL(unlink)(path);
}

int unlinkat(int folder, const char *path, int flags)
{
	note('U', folder, path);
	return REAL(unlinkat)(folder, path, flags);
}

int fsync(int fd)
{
	return note_sync(fd, REAL(fsync)(fd));
}

int fdatasync(int fd)
{
	return note_sync(fd, REAL(fdatasync)(fd));
}
