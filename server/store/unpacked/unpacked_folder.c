/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/unpacked/unpacked_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/own.h"

enum { DIGEST_LENGTH = 64 };

static const char half_made[] = ".new";
static const char aside[] = ".old-";

static struct unpacked_path path_of(const struct digest *digest, const char *suffix)
{
	struct unpacked_path path;

	(void)snprintf(path.text, sizeof path.text, "unpacked/%s%s", digest->hex, suffix);
	return path;
}

struct unpacked_path unpacked_folder_path(const struct digest *digest)
{
	return path_of(digest, "");
}

bool unpacked_folder_make_root(int data_fd, struct err *err)
{
	if (mkdirat(data_fd, "unpacked", 0750) == 0)
		return file_sync_folder(data_fd, err);
	return errno == EEXIST || err_errno(err, errno, "create folder unpacked");
}

static void own_dir(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}

/* NULL where the folder is not there: errno says why. */
static DIR *list(int parent, const char *name)
{
	AUTO_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (folder)
		(void)TAKE_FD(fd);
	return folder;
}

/* Folders here are flat. One that others remove, or make anew, at the same time is no failure. */
bool unpacked_folder_remove(int parent, const char *name, struct err *err)
{
	AUTO(own_dir) DIR *folder = list(parent, name);

	if (!folder)
		return errno == ENOENT || err_errno(err, errno, "list folder %s", name);
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(folder), entry->d_name, 0) < 0 && errno != ENOENT)
			return err_errno(err, errno, "remove %s/%s", name, entry->d_name);
	}
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT && errno != ENOTEMPTY)
		return err_errno(err, errno, "remove folder %s", name);
	return true;
}

/* Nothing else is touched, whoever may have put it there. */
bool unpacked_folder_is_draft(const char *name)
{
	return strlen(name) == DIGEST_LENGTH + strlen(half_made) &&
	       strcmp(name + DIGEST_LENGTH, half_made) == 0;
}

/* What an earlier start put aside may still be there. */
bool unpacked_folder_put_aside(int root_fd, const char *name, struct err *err)
{
	char target[DIGEST_LENGTH + 32];
	unsigned number = 0;
	int result;

	do {
		(void)snprintf(target, sizeof target, "%.*s%s%u", DIGEST_LENGTH, name, aside, number++);
		result = renameat(root_fd, name, root_fd, target);
	} while (result < 0 && (errno == ENOTEMPTY || errno == EEXIST));
	return result == 0 || errno == ENOENT || err_errno(err, errno, "put %s aside", name);
}

bool unpacked_folder_is_aside(const char *name)
{
	return strlen(name) > DIGEST_LENGTH && strncmp(name + DIGEST_LENGTH, aside, strlen(aside)) == 0;
}

bool unpacked_folder_each(int data_fd,
	bool (*visit)(void *context, int root_fd, const char *name, struct err *err), void *context,
	struct err *err)
{
	AUTO(own_dir) DIR *root = list(data_fd, "unpacked");

	if (!root)
		return errno == ENOENT || err_errno(err, errno, "list folder unpacked");
	for (struct dirent *entry = readdir(root); entry; entry = readdir(root)) {
		if (!visit(context, dirfd(root), entry->d_name, err))
			return false;
	}
	return true;
}

bool unpacked_folder_read(int root_fd, const char *name, struct unpack_record *record, int64_t *made_at)
{
	AUTO_FD int folder = openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (folder < 0 || fstat(folder, &status) < 0 || !unpack_read_record(folder, record))
		return false;
	*made_at = status.st_mtim.tv_sec;
	return true;
}

bool unpacked_folder_lacks_files(int folder_fd)
{
	AUTO(own_dir) DIR *folder = list(folder_fd, ".");
	int64_t files = -1; /* the record of their number is one more entry */
	struct unpack_record record;

	if (!folder || !unpack_read_record(folder_fd, &record))
		return true;
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		files += entry->d_name[0] != '.';
	return files != record.files;
}

static bool unpack_into(int data_fd, const char *name, const struct digest *digest,
	const struct unpacked_source *source, struct unpack_record *out, struct filesums *sums,
	struct err *err)
{
	AUTO_FD int folder = -1;

	if (!unpacked_folder_remove(data_fd, name, err))
		return false;
	if (mkdirat(data_fd, name, 0750) < 0)
		return err_errno(err, errno, "create folder %s", name);
	folder = openat(data_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return err_errno(err, errno, "open folder %s", name);
	return unpack_archive(source->archive_fd, folder, source->limits, source->room, out, sums, err) ||
	       err_prefix(err, "unpack %.12s: ", digest->hex);
}

bool unpacked_folder_make(int data_fd, const struct digest *digest, const struct unpacked_source *source,
	struct unpack_record *out, struct filesums *sums, struct err *err)
{
	struct unpacked_path draft = path_of(digest, half_made), folder = path_of(digest, "");
	struct err ignored;

	if (!unpacked_folder_make_root(data_fd, err))
		return false;
	if (!unpack_into(data_fd, draft.text, digest, source, out, sums, err)) {
		(void)unpacked_folder_remove(data_fd, draft.text, &ignored);
		return false;
	}
	if (!unpacked_folder_remove(data_fd, folder.text, err))
		return false;
	if (renameat(data_fd, draft.text, data_fd, folder.text) < 0)
		return err_errno(err, errno, "name folder %s", folder.text);
	return true;
}
