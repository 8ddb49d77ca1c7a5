/* SPDX-License-Identifier: Apache-2.0
 *
 * To be preloaded (LD_PRELOAD): a system short of memory. The file $UNWATCHED holds two numbers: so many
 * calls of epoll_ctl that add or change something go well, and then so many fail (ENOMEM). Each takes one
 * off. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <unistd.h>

static bool take_failure(void)
{
	const char *path = getenv("UNWATCHED");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	char text[32] = "";
	int spared = 0;
	int failing = 0;
	bool fails;

	if (fd < 0)
		return false;
	(void)flock(fd, LOCK_EX);
	if (pread(fd, text, sizeof text - 1, 0) > 0)
		(void)sscanf(text, "%d %d", &spared, &failing);
	fails = spared == 0 && failing > 0;
	if (spared > 0 || failing > 0) {
		int length = snprintf(text, sizeof text, "%6d %6d", spared ? spared - 1 : 0, failing - fails);

		(void)!pwrite(fd, text, (size_t)length, 0);
	}
	(void)close(fd);
	return fails;
}

int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	static int (*real)(int, int, int, struct epoll_event *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "epoll_ctl");
	if (operation != EPOLL_CTL_DEL && take_failure()) {
		errno = ENOMEM;
		return -1;
	}
	return real(epoll_fd, operation, fd, event);
}
