/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/backup_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/number.h"

enum { FORMAT = 1, MARKER_MAX = 4096 };

static const char marker_name[] = "larder-backup.json";
static const char draft_name[] = "larder-backup.json.new";
static const char catalog_prefix[] = "catalog-";

char *backup_folder_catalog(const struct backup_folder *folder, int64_t number)
{
	return mem_printf("%s/%s%lld", folder->path, catalog_prefix, (long long)number);
}

void backup_folder_finish(struct backup_folder *folder)
{
	own_close(&folder->fd);
	free(folder->path);
	*folder = (struct backup_folder){.fd = -1};
}

/* ---- the marker ---- */

static int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool take_marker(const json_t *object, struct backup_folder *folder, struct err *err)
{
	const char *larder = json_string_value(json_object_get(object, "larder"));
	const char *database = json_string_value(json_object_get(object, "database_sha256"));
	struct backup_marker *marker = &folder->marker;

	if (number_of(object, "format") != FORMAT)
		return err_set(err, ERR_CONFLICT,
			"%.150s is a backup of another format than this Larder has: use a newer one",
			folder->path);
	*marker = (struct backup_marker){.number = number_of(object, "catalog"),
		.at_s = number_of(object, "at_s"),
		.blobs = number_of(object, "blobs"),
		.bytes = number_of(object, "bytes"),
		.is_index = json_is_true(json_object_get(object, "index_only"))};
	(void)snprintf(marker->larder, sizeof marker->larder, "%s", larder ? larder : "");
	return marker->number == 0 || (database && digest_parse(database, &marker->database)) ||
	       err_set(err, ERR_CONFLICT, "%.150s/%s is damaged", folder->path, marker_name);
}

/* *found is false where there is none. */
static bool read_marker(struct backup_folder *folder, bool *found, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/%s", folder->path, marker_name);
	AUTO_BUFFER struct buffer text = {0};
	json_auto_t *object = NULL;

	*found = faccessat(folder->fd, marker_name, F_OK, 0) == 0;
	if (!*found)
		return true;
	if (!file_read_all(path, MARKER_MAX, &text, err))
		return false;
	object = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(object) ? take_marker(object, folder, err)
				      : err_set(err, ERR_CONFLICT, "%.200s is damaged", path);
}

static bool write_marker(struct backup_folder *folder, const struct backup_marker *marker, struct err *err)
{
	json_auto_t *object = json_pack("{s:i, s:s, s:I, s:s, s:I, s:s, s:I, s:I, s:b}", "format", FORMAT,
		"larder", LARDER_VERSION, "catalog", (json_int_t)marker->number, "database_sha256",
		marker->database.hex, "at_s", (json_int_t)marker->at_s, "at",
		clock_rfc3339(marker->at_s).text, "blobs", (json_int_t)marker->blobs, "bytes",
		(json_int_t)marker->bytes, "index_only", (int)marker->is_index);
	AUTO_FREE char *text = json_dumps(object, JSON_INDENT(2));
	AUTO_FD int fd = openat(folder->fd, draft_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	if (fd < 0)
		return err_errno(err, errno, "make %s in %s", draft_name, folder->path);
	if (!file_write_at(fd, text, strlen(text), 0, err))
		return false;
	if (fsync(fd) < 0 || renameat(folder->fd, draft_name, folder->fd, marker_name) < 0)
		return err_errno(err, errno, "write %s in %s", marker_name, folder->path);
	return file_sync_folder(folder->fd, err);
}

bool backup_folder_commit(struct backup_folder *folder, const struct backup_marker *marker, struct err *err)
{
	if (!write_marker(folder, marker, err))
		return false;
	folder->marker = *marker;
	return true;
}

/* ---- what is in it ---- */

static void own_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static DIR *list(int parent_fd, const char *name, struct err *err)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		(void)err_errno(err, errno, "list folder %s", name);
		own_close(&fd);
	}
	return dir;
}

/* Of what a file system or an interrupted first backup leaves. */
static bool is_nothing(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0 ||
	       strcmp(name, draft_name) == 0;
}

static bool is_empty(const struct backup_folder *folder, bool *empty, struct err *err)
{
	AUTO(own_dir) DIR *dir = list(folder->fd, ".", err);

	if (!dir)
		return false;
	*empty = true;
	for (struct dirent *entry = readdir(dir); entry && *empty; entry = readdir(dir))
		*empty = is_nothing(entry->d_name);
	return true;
}

/* A database and what SQLite has beside it: no folders. */
static bool remove_catalog(const struct backup_folder *folder, const char *name, struct err *err)
{
	AUTO(own_dir) DIR *dir = list(folder->fd, name, err);

	if (!dir)
		return false;
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		if (!is_nothing(entry->d_name) && unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			return err_errno(
				err, errno, "remove %s/%s/%.100s", folder->path, name, entry->d_name);
	}
	return unlinkat(folder->fd, name, AT_REMOVEDIR) == 0 ||
	       err_errno(err, errno, "remove %s/%s", folder->path, name);
}

bool backup_folder_drop(const struct backup_folder *folder, int64_t number, struct err *err)
{
	char name[40];

	(void)snprintf(name, sizeof name, "%s%lld", catalog_prefix, (long long)number);
	return faccessat(folder->fd, name, F_OK, 0) < 0 || remove_catalog(folder, name, err);
}

/* Those that the marker does not name. */
static bool remove_others(const struct backup_folder *folder, struct err *err)
{
	AUTO(own_dir) DIR *dir = list(folder->fd, ".", err);
	size_t length = strlen(catalog_prefix);
	int64_t number;

	if (!dir)
		return false;
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		if (strncmp(entry->d_name, catalog_prefix, length) != 0 ||
			!number_parse(entry->d_name + length, &number) || number == folder->marker.number)
			continue;
		if (!remove_catalog(folder, entry->d_name, err))
			return false;
	}
	return true;
}

/* ---- opening ---- */

static bool take(const char *path, bool alone, struct backup_folder *folder, struct err *err)
{
	folder->path = mem_dup(path);
	folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->fd < 0)
		return err_errno(err, errno, "open folder %s", path);
	return flock(folder->fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 ||
	       err_set(err, ERR_BUSY, "another backup or restore works on %.200s now: let it come to its end",
		       path);
}

static bool claim(struct backup_folder *folder, struct err *err)
{
	bool found;
	bool empty;

	if (!read_marker(folder, &found, err))
		return false;
	if (found)
		return true;
	if (!is_empty(folder, &empty, err))
		return false;
	if (!empty)
		return err_set(err, ERR_CONFLICT,
			"%.200s is not empty, and no backup of a Larder: choose an empty folder, or a new "
			"one",
			folder->path);
	return write_marker(folder, &folder->marker, err);
}

bool backup_folder_open(const char *path, struct backup_folder *folder, struct err *err)
{
	*folder = (struct backup_folder){.fd = -1};
	return file_make_folders(path, err) && take(path, true, folder, err) && claim(folder, err) &&
	       remove_others(folder, err);
}

bool backup_folder_read(const char *path, struct backup_folder *folder, struct err *err)
{
	bool found;

	*folder = (struct backup_folder){.fd = -1};
	if (!take(path, false, folder, err) || !read_marker(folder, &found, err))
		return false;
	return (found && folder->marker.number > 0) ||
	       err_set(err, ERR_NOT_FOUND,
		       found ? "no backup has come to its end in %.200s"
			     : "%.200s is no folder that \"larder backup\" has made",
		       path);
}
