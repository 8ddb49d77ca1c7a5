/* SPDX-License-Identifier: Apache-2.0
 *
 * To be preloaded (LD_PRELOAD): a medium that is pulled out. Of the calls that reach what lies below
 * $PULLED_BELOW the $PULLED_AT-th fails with the number $PULLED_ERROR, and all later ones, or $PULLED_FOR in
 * all: a bad sector. $PULLED_ONLY names the one call that counts. $PULLED_COUNT is a file that is told how
 * many there were.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static atomic_long calls;

static long number_of(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? atol(text) : otherwise;
}

static int is_below(const char *path)
{
	const char *medium = getenv("PULLED_BELOW");
	size_t length = medium ? strlen(medium) : 0;

	return length > 0 && strncmp(path, medium, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

static void place_of(int fd, char path[PATH_MAX])
{
	char link[64];
	ssize_t length;

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, path, PATH_MAX - 1);
	path[length < 0 ? 0 : length] = '\0';
}

/* Whether a call fails that is made of a name (NULL: of what is open) in a folder. */
static int fails(const char *call, int fd, const char *name)
{
	const char *only = getenv("PULLED_ONLY");
	long at = number_of("PULLED_AT", 0);
	char folder[PATH_MAX] = "";
	long number;

	if (only && strcmp(only, call) != 0)
		return 0;
	if (fd == AT_FDCWD && name && name[0] != '/' && !getcwd(folder, sizeof folder))
		return 0;
	if (fd != AT_FDCWD)
		place_of(fd, folder);
	if (!is_below(name && name[0] == '/' ? name : folder))
		return 0;
	number = atomic_fetch_add(&calls, 1) + 1;
	if (at == 0 || number < at || number - at >= number_of("PULLED_FOR", LONG_MAX))
		return 0;
	errno = (int)number_of("PULLED_ERROR", EIO);
	return 1;
}

static __attribute__((destructor)) void tell(void)
{
	const char *path = getenv("PULLED_COUNT");
	FILE *file = path ? fopen(path, "w") : NULL;

	if (!file)
		return;
	(void)fprintf(file, "%ld\n", atomic_load(&calls));
	(void)fclose(file);
}

int open64(const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	return fails("open", AT_FDCWD, path) ? -1 : REAL(open64)(path, flags, mode);
}

int openat64(int fd, const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	return fails("open", fd, path) ? -1 : REAL(openat64)(fd, path, flags, mode);
}

#define PULLED(type, failure, name, call, fd, path, parameters, arguments) \
	type name parameters \
	{ \
		return fails(call, fd, path) ? (failure) : REAL(name) arguments; \
	}

PULLED(ssize_t, -1, pread64, "read", fd, NULL, (int fd, void *to, size_t length, off64_t at),
	(fd, to, length, at))
PULLED(ssize_t, -1, pwrite64, "write", fd, NULL, (int fd, const void *from, size_t length, off64_t at),
	(fd, from, length, at))
PULLED(int, -1, fsync, "sync", fd, NULL, (int fd), (fd))
PULLED(int, -1, syncfs, "sync", fd, NULL, (int fd), (fd))
PULLED(int, -1, ftruncate64, "truncate", fd, NULL, (int fd, off64_t length), (fd, length))
PULLED(int, -1, fstat64, "stat", fd, NULL, (int fd, struct stat64 *to), (fd, to))
PULLED(int, -1, stat64, "stat", AT_FDCWD, path, (const char *path, struct stat64 *to), (path, to))
PULLED(int, -1, lstat64, "stat", AT_FDCWD, path, (const char *path, struct stat64 *to), (path, to))
PULLED(int, -1, rename, "rename", AT_FDCWD, from, (const char *from, const char *to), (from, to))
PULLED(int, -1, renameat, "rename", a, from, (int a, const char *from, int b, const char *to),
	(a, from, b, to))
PULLED(int, -1, unlink, "unlink", AT_FDCWD, path, (const char *path), (path))
PULLED(int, -1, unlinkat, "unlink", fd, path, (int fd, const char *path, int flags), (fd, path, flags))
PULLED(int, -1, mkdir, "mkdir", AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
PULLED(DIR *, NULL, opendir, "opendir", AT_FDCWD, path, (const char *path), (path))
