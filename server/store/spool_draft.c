/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/spool_draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"

void spool_draft_init(struct spool_draft *draft)
{
	*draft = (struct spool_draft){.folder_fd = -1, .fd = -1};
}

void spool_draft_close(struct spool_draft *draft)
{
	own_close(&draft->fd);
	own_close(&draft->folder_fd);
	free(draft->name);
	spool_draft_init(draft);
}

/* Not until the first byte is anybody else interested. */
static bool open_draft(struct spool_draft *draft, int drafts_fd, const char *name, int flags, struct err *err)
{
	AUTO_FD int folder = fcntl(drafts_fd, F_DUPFD_CLOEXEC, 0);

	if (folder < 0)
		return err_errno(err, errno, "open the folder of drafts");
	draft->fd = openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0640);
	if (draft->fd < 0)
		return err_errno(err, errno, "open draft %s", name);
	draft->folder_fd = TAKE_FD(folder);
	draft->name = mem_dup(name);
	return true;
}

bool spool_draft_create(struct spool_draft *draft, int drafts_fd, const char *name, struct err *err)
{
	return open_draft(draft, drafts_fd, name, O_CREAT | O_EXCL, err);
}

static bool cut_to_length(const struct spool_draft *draft, int64_t length, struct err *err)
{
	struct stat status;

	if (fstat(draft->fd, &status) < 0)
		return err_errno(err, errno, "look at draft %s", draft->name);
	if (status.st_size < length)
		return err_set(err, ERR_NOT_FOUND, "draft %s has only %lld of %lld bytes", draft->name,
			(long long)status.st_size, (long long)length);
	return spool_draft_cut(draft, length) ||
	       err_errno(err, errno, "cut draft %s to %lld bytes", draft->name, (long long)length);
}

bool spool_draft_resume(
	struct spool_draft *draft, int drafts_fd, const char *name, int64_t length, struct err *err)
{
	if (!open_draft(draft, drafts_fd, name, 0, err))
		return false;
	if (cut_to_length(draft, length, err))
		return true;
	spool_draft_close(draft);
	return false;
}

bool spool_draft_unlink(const struct spool_draft *draft)
{
	return unlinkat(draft->folder_fd, draft->name, 0) == 0;
}

bool spool_draft_cut(const struct spool_draft *draft, int64_t length)
{
	return ftruncate(draft->fd, length) == 0;
}

void spool_draft_give_back(const struct spool_draft *draft, int64_t length)
{
	(void)fallocate(draft->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, length);
}

void spool_draft_write_out(const struct spool_draft *draft, int64_t from, int64_t to)
{
	(void)sync_file_range(draft->fd, from, to - from, SYNC_FILE_RANGE_WRITE);
}

bool spool_draft_sync(const struct spool_draft *draft, struct err *err)
{
	may_block("fsync");
	return fdatasync(draft->fd) == 0 || err_errno(err, errno, "make draft %s durable", draft->name);
}
