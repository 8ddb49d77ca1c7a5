/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/restore_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"

bool restore_mark_is_set(const char *data_dir)
{
	AUTO_FREE char *path = mem_printf("%s/" RESTORE_MARK, data_dir);

	return access(path, F_OK) == 0;
}

bool restore_mark_check(const char *data_dir, struct err *err)
{
	return !restore_mark_is_set(data_dir) ||
	       err_set(err, ERR_CONFLICT,
		       "a restore into %.150s did not come to its end: run the same \"larder restore\" once "
		       "more, or choose another folder",
		       data_dir);
}

static bool sync_folder(const char *data_dir, struct err *err)
{
	AUTO_FD int fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_errno(err, errno, "open folder %s", data_dir) : file_sync_folder(fd, err);
}

bool restore_mark_set(const char *data_dir, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/" RESTORE_MARK, data_dir);
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		return err_errno(err, errno, "make %s", path);
	return sync_folder(data_dir, err);
}

bool restore_mark_remove(const char *data_dir, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/" RESTORE_MARK, data_dir);

	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(err, errno, "remove %s", path);
	return sync_folder(data_dir, err);
}
