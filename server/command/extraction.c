/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/extraction.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/command/part_file.h"
#include "server/module/archives/archive.h"
#include "server/module/archives/guess.h"
#include "server/module/archives/membername.h"

enum { DEPTH_FDS = 16 };

/* ---- a folder that becomes the folder, or goes away with the scope ---- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
	(void)status;
	(void)kind;
	(void)at;
	return remove(path);
}

static void own_draft(char **path)
{
	if (*path)
		(void)nftw(*path, remove_one, DEPTH_FDS, FTW_DEPTH | FTW_PHYS);
	free(*path);
}

/* Of a mode that lets nobody else put a link into it meanwhile. */
static bool create_draft(const char *folder, char **out, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s.part-XXXXXX", folder);

	if (!mkdtemp(path))
		return err_errno(err, errno, "create a folder beside %s", folder);
	*out = TAKE(path);
	return true;
}

static bool commit_draft(char **draft, int root, const char *folder, struct err *err)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	if (fchmod(root, 0777 & ~mask) < 0 || syncfs(root) < 0)
		return err_errno(err, errno, "write %s", folder);
	if (!part_file_rename(*draft, folder, false, err))
		return false;
	free(TAKE(*draft));
	return true;
}

/* ---- members ---- */

static bool check_path(const struct member *member, const char *path, struct err *err)
{
	bool climbs = *path == '\0' && member->kind == MEMBER_FILE;

	for (const char *segment = path; segment; segment = strchr(segment, '/')) {
		segment += *segment == '/';
		climbs = climbs || strcmp(segment, "..") == 0 || strncmp(segment, "../", 3) == 0;
	}
	if (climbs || member->name[0] == '/')
		return err_set(err, ERR_INVALID_MODULE, "a name in it leads out of the folder");
	return member->kind != MEMBER_OTHER ||
	       err_set(err, ERR_INVALID_MODULE,
		       "it holds a link, a device or something else that is no file");
}

static bool make_folders(int root, char *path, struct err *err)
{
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		int made;

		*slash = '\0';
		made = mkdirat(root, path, 0777);
		*slash = '/';
		if (made < 0 && errno != EEXIST)
			return err_errno(err, errno, "create a folder");
	}
	return true;
}

static bool write_content(struct stream *content, int fd, struct err *err)
{
	const uint8_t *data;
	size_t length;
	int64_t offset = 0;

	do {
		if (!stream_next(content, &data, &length, err) ||
			!file_write_at(fd, data, length, offset, err))
			return false;
		offset += (int64_t)length;
	} while (length > 0);
	return true;
}

/* A file that comes again takes the place of the one before, as for hub clients. */
static bool write_file(struct archive *archive, int root, const char *path, struct err *err)
{
	AUTO_FD int fd = -1;

	(void)unlinkat(root, path, 0);
	fd = openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_errno(err, errno, "create a file");
	return write_content(archive_content(archive), fd, err);
}

static bool write_member(struct archive *archive, const struct member *member, int root, struct err *err)
{
	char path[ARCHIVE_NAME_MAX + 2];
	size_t length;

	membername_normalise(member->name, path);
	if (!check_path(member, path, err))
		return false;
	length = strlen(path);
	if (member->kind == MEMBER_FOLDER && length > 0)
		(void)stpcpy(path + length, "/");
	return make_folders(root, path, err) &&
	       (member->kind == MEMBER_FOLDER || write_file(archive, root, path, err));
}

static bool write_members(int archive_fd, int root, struct err *err)
{
	static const struct archive_limits no_limits = {0};
	AUTO_FREE struct file_stream *file = mem_zero(1, sizeof *file);
	AUTO_FREE struct member *member = mem_zero(1, sizeof *member);
	AUTO_ARCHIVE
	struct archive *archive = archive_create(file_stream_init(file, archive_fd), &no_limits);
	bool found;

	for (;;) {
		if (!archive_next(archive, member, &found, err))
			return false;
		if (!found)
			return true;
		if (!write_member(archive, member, root, err))
			return false;
	}
}

bool extraction_run(int archive_fd, const char *folder, struct err *err)
{
	AUTO(own_draft) char *draft = NULL;
	AUTO_FD int root = -1;

	if (!create_draft(folder, &draft, err))
		return false;
	root = open(draft, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return err_errno(err, errno, "open %s", draft);
	if (!write_members(archive_fd, root, err))
		return err_prefix(err, "It cannot be unpacked into %s: ", folder);
	return commit_draft(&draft, root, folder, err);
}
