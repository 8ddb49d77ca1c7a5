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
#include "server/command/folder_writer.h"
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

/* Where names lead is for the writer to refuse. */
static bool check_kind(const struct member *member, struct err *err)
{
	char path[ARCHIVE_NAME_MAX + 1];

	membername_normalise(member->name, path);
	if (member->kind == MEMBER_FILE && *path == '\0')
		return err_set(err, ERR_INVALID_MODULE, "a file in it has no name");
	return member->kind != MEMBER_OTHER ||
	       err_set(err, ERR_INVALID_MODULE,
		       "it holds a link, a device or something else that is no file");
}

static bool write_content(struct stream *content, struct folder_writer *writer, struct err *err)
{
	const uint8_t *data;
	size_t length;

	do {
		if (!stream_next(content, &data, &length, err) ||
			!folder_writer_write(writer, data, length, err))
			return false;
	} while (length > 0);
	return true;
}

static bool write_member(
	struct archive *archive, const struct member *member, struct folder_writer *writer, struct err *err)
{
	if (!check_kind(member, err))
		return false;
	if (member->kind == MEMBER_FOLDER)
		return folder_writer_add_folder(writer, member->name, err);
	return folder_writer_add_file(writer, member->name, member->size_bytes, err) &&
	       write_content(archive_content(archive), writer, err);
}

static bool write_members(int archive_fd, struct folder_writer *writer, struct err *err)
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
			return folder_writer_finish(writer, err);
		if (!write_member(archive, member, writer, err))
			return false;
	}
}

static bool extract(int archive_fd, int root, const struct folder_writer_modes *modes, struct err *err)
{
	AUTO_FOLDER_WRITER struct folder_writer *writer = NULL;

	return folder_writer_open(root, modes, &writer, err) && write_members(archive_fd, writer, err);
}

bool extraction_run(int archive_fd, const char *folder, struct err *err)
{
	static const struct folder_writer_modes modes = {0666, 0777};
	AUTO(own_draft) char *draft = NULL;
	AUTO_FD int root = -1;

	if (!create_draft(folder, &draft, err))
		return false;
	root = open(draft, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return err_errno(err, errno, "open %s", draft);
	if (!extract(archive_fd, root, &modes, err))
		return err_prefix(err, "It cannot be unpacked into %s: ", folder);
	return commit_draft(&draft, root, folder, err);
}
