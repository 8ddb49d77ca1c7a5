/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/folder_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"

bool folder_lock_take(const char *data_dir, int *out_fd, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/lock", data_dir);
	AUTO_FD int fd = -1;

	if (!file_make_folders(data_dir, err))
		return false;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, ERR_BUSY,
			"another daemon is running on %s: stop it, or choose another folder with --data",
			data_dir);
	*out_fd = TAKE_FD(fd);
	return true;
}
