/* SPDX-License-Identifier: Apache-2.0
 *
 * To be preloaded (LD_PRELOAD): a file system without hard links, as FAT is on sticks. */
#include <errno.h>
#include <unistd.h>

int link(const char *from, const char *to)
{
	(void)from;
	(void)to;
	errno = EPERM;
	return -1;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
	(void)from_folder;
	(void)to_folder;
	(void)flags;
	return link(from, to);
}
