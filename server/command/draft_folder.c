/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/draft_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "server/command/part_file.h"

#define SUFFIX ".part-"
enum { DEPTH_FDS = 16, RANDOM_LETTERS = 6 };

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
	(void)status;
	(void)kind;
	(void)at;
	return remove(path);
}

void draft_folder_remove(const char *path)
{
	(void)nftw(path, remove_one, DEPTH_FDS, FTW_DEPTH | FTW_PHYS);
}

bool draft_folder_open(struct draft_folder *draft, const char *target, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s" SUFFIX "XXXXXX", target);

	*draft = (struct draft_folder){.target = target, .root = -1};
	if (!mkdtemp(path))
		return err_errno(err, errno, "create a folder beside %s", target);
	draft->path = TAKE(path);
	draft->root = open(draft->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return draft->root >= 0 || err_errno(err, errno, "open %s", draft->path);
}

void draft_folder_finish(struct draft_folder *draft)
{
	own_close(&draft->root);
	if (draft->path)
		draft_folder_remove(draft->path);
	free(draft->path);
}

bool draft_folder_commit(struct draft_folder *draft, struct err *err)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	if (fchmod(draft->root, 0777 & ~mask) < 0 || syncfs(draft->root) < 0)
		return err_errno(err, errno, "write %s", draft->target);
	if (!part_file_rename(draft->path, draft->target, false, err))
		return false;
	free(TAKE(draft->path));
	return true;
}

bool draft_folder_is_name(const char *name, int letters)
{
	size_t length = strlen(name);

	return length == (size_t)letters + strlen(SUFFIX) + RANDOM_LETTERS &&
	       strncmp(name + letters, SUFFIX, strlen(SUFFIX)) == 0;
}
