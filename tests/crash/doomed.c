/* SPDX-License-Identifier: Apache-2.0
 *
 * To be preloaded (LD_PRELOAD): kills a program at the $DOOMED_AT-th call that changes files, a write when
 * half of it is done. $DOOMED_COUNT is a file that is told how many such calls there were.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static atomic_long calls;

/* Whether this is the one. */
static int is_last(void)
{
	const char *at = getenv("DOOMED_AT");

	return atomic_fetch_add(&calls, 1) + 1 == (at ? atol(at) : 0);
}

static void die(void)
{
	(void)kill(getpid(), SIGKILL);
	for (;;)
		(void)pause();
}

static __attribute__((destructor)) void tell(void)
{
	const char *path = getenv("DOOMED_COUNT");
	FILE *file = path ? fopen(path, "w") : NULL;

	if (!file)
		return;
	(void)fprintf(file, "%ld\n", atomic_load(&calls));
	(void)fclose(file);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
	if (is_last()) {
		(void)REAL(pwrite64)(fd, bytes, length / 2, offset);
		die();
	}
	return REAL(pwrite64)(fd, bytes, length, offset);
}

#define DOOMED(type, name, parameters, arguments) \
	type name parameters \
	{ \
		if (is_last()) \
			die(); \
		return REAL(name) arguments; \
	}

DOOMED(int, fsync, (int fd), (fd))
DOOMED(int, syncfs, (int fd), (fd))
DOOMED(int, ftruncate64, (int fd, off64_t length), (fd, length))
DOOMED(int, rename, (const char *from, const char *to), (from, to))
DOOMED(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
DOOMED(int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
DOOMED(int, unlink, (const char *path), (path))
DOOMED(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
DOOMED(int, mkdir, (const char *path, mode_t mode), (path, mode))
DOOMED(char *, mkdtemp, (char *path), (path))
