/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/folder_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"

/* *held: somebody else has it. */
static bool take(const char *data_dir, const char *name, int *out_fd, bool *held, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/%s", data_dir, name);
	AUTO_FD int fd = -1;

	*held = false;
	if (!file_make_folders(data_dir, err))
		return false;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	*held = flock(fd, LOCK_EX | LOCK_NB) < 0;
	if (*held)
		return false;
	*out_fd = TAKE_FD(fd);
	return true;
}

bool folder_lock_take(const char *data_dir, int *out_fd, struct err *err)
{
	bool held;

	return take(data_dir, "lock", out_fd, &held, err) ||
	       (held && err_set(err, ERR_BUSY,
				"another daemon is running on %s: stop it, or choose another folder with "
				"--data",
				data_dir));
}

bool folder_lock_take_work(const char *data_dir, int *out_fd, struct err *err)
{
	bool held;

	return take(data_dir, "work.lock", out_fd, &held, err) ||
	       (held && err_set(err, ERR_BUSY,
				"another import or export works on %.200s now: let it come to its end, and "
				"try again",
				data_dir));
}

bool folder_lock_take_reading(const char *data_dir, const char *what, int *out_fd, struct err *err)
{
	AUTO_FREE char *name = mem_printf("%s.lock", what);
	bool held;

	return take(data_dir, name, out_fd, &held, err) ||
	       (held && err_set(err, ERR_BUSY,
				"another \"larder %s\" works on %.200s now: let it come to its end, or "
				"interrupt it",
				what, data_dir));
}
