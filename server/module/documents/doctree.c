/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/documents/doctree.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/module/archives/archive.h"
#include "server/module/archives/guess.h"

static const struct archive_limits limits = {.max_unpacked_bytes = (int64_t)4 << 30, .max_ratio = 1000};

/* The walk through one tree. */
struct walk {
	bool (*take)(void *context, const struct doctree_page *page, struct err *err);
	void *context;
	size_t table_max; /* bytes */
	size_t files;
	size_t others;
	char fault[40];
};

static void own_fts(FTS **fts)
{
	if (*fts)
		(void)fts_close(*fts);
}

static bool is_table(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, DOCTREE_TABLE) == 0;
}

static bool is_page(const char *path)
{
	size_t length = strlen(path);

	return (length > 3 && strcmp(path + length - 3, ".md") == 0) || is_table(path);
}

static bool count_file(struct walk *walk, struct err *err)
{
	return ++walk->files <= DOCTREE_FILES_MAX ||
	       err_set(err, ERR_TOO_LARGE, "the tree has more than %d files", DOCTREE_FILES_MAX);
}

static bool refuse_page(struct walk *walk, const char *path, const char *fault, struct err *err)
{
	return walk->take(walk->context, &(struct doctree_page){path, is_table(path), NULL, fault}, err);
}

static bool give_page(struct walk *walk, const char *path, const struct buffer *bytes, struct err *err)
{
	const char *markdown = buffer_string(bytes);

	if (!utf8_is_text(markdown, bytes->length))
		return refuse_page(walk, path, "is not UTF-8 text", err);
	return walk->take(walk->context, &(struct doctree_page){path, is_table(path), markdown, NULL}, err);
}

static size_t limit_of(const struct walk *walk, const char *path)
{
	return is_table(path) ? walk->table_max : DOCTREE_PAGE_MAX;
}

static const char *too_long(struct walk *walk, const char *path)
{
	(void)snprintf(walk->fault, sizeof walk->fault, "has more than %zu MiB", limit_of(walk, path) >> 20);
	return walk->fault;
}

/* ---- a folder ---- */

/* The name was looked at before: what it names now must be a file still, and nothing that one waits for. */
static bool read_file(
	struct walk *walk, const char *path, struct buffer *out, const char **fault, struct err *err)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char block[16384];
	struct stat status;
	size_t length;

	*fault = "cannot be opened as a file";
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return true;
	*fault = too_long(walk, path);
	do {
		if (!file_read_at(fd, block, sizeof block, (int64_t)out->length, &length, err))
			return false;
		buffer_add(out, block, length);
		if (out->length > limit_of(walk, path))
			return true;
	} while (length == sizeof block);
	*fault = NULL;
	return true;
}

static bool take_file(struct walk *walk, const char *path, const char *shown, struct err *err)
{
	AUTO_BUFFER struct buffer bytes = {0};
	const char *fault;

	if (!read_file(walk, path, &bytes, &fault, err))
		return false;
	return fault ? refuse_page(walk, shown, fault, err) : give_page(walk, shown, &bytes, err);
}

static bool take_entry(struct walk *walk, const FTSENT *entry, const char *shown, struct err *err)
{
	switch (entry->fts_info) {
	case FTS_D:
	case FTS_DP:
	case FTS_DOT:
		return true;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return err_errno(err, entry->fts_errno, "read %s", entry->fts_path);
	default:
		break;
	}
	if (!count_file(walk, err))
		return false;
	if (is_page(entry->fts_name))
		return entry->fts_info == FTS_F ? take_file(walk, entry->fts_accpath, shown, err)
						: refuse_page(walk, shown, "is a link or no file", err);
	walk->others++;
	return true;
}

static int compare_names(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool walk_folder(struct walk *walk, const char *path, struct err *err)
{
	AUTO_FREE char *root = mem_dup(path);
	char *const roots[] = {root, NULL};
	AUTO(own_fts) FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, compare_names);
	size_t prefix = strlen(path) + (path[strlen(path) - 1] != '/');

	if (!fts)
		return err_errno(err, errno, "read %s", path);
	errno = 0;
	for (FTSENT *entry = fts_read(fts); entry; entry = fts_read(fts)) {
		const char *shown = entry->fts_pathlen > prefix ? entry->fts_path + prefix : entry->fts_path;

		if (!take_entry(walk, entry, shown, err))
			return false;
		errno = 0;
	}
	return errno == 0 || err_errno(err, errno, "read %s", path);
}

/* ---- an archive ---- */

static bool read_member(struct stream *content, struct buffer *out, struct err *err)
{
	const uint8_t *data;
	size_t length;

	do {
		if (!stream_next(content, &data, &length, err))
			return false;
		buffer_add(out, data, length);
	} while (length > 0);
	return true;
}

static bool take_member(
	struct walk *walk, struct archive *archive, const struct member *member, struct err *err)
{
	AUTO_BUFFER struct buffer bytes = {0};

	if (member->kind == MEMBER_FOLDER)
		return true;
	if (!count_file(walk, err))
		return false;
	if (!is_page(member->name)) {
		walk->others++;
		return true;
	}
	if (member->kind != MEMBER_FILE)
		return refuse_page(walk, member->name, "is a link or no file", err);
	if (member->size_bytes > (int64_t)limit_of(walk, member->name))
		return refuse_page(walk, member->name, too_long(walk, member->name), err);
	return read_member(archive_content(archive), &bytes, err) &&
	       give_page(walk, member->name, &bytes, err);
}

static bool walk_archive(struct walk *walk, int fd, struct err *err)
{
	AUTO_FREE struct file_stream *file = mem_zero(1, sizeof *file);
	AUTO_FREE struct member *member = mem_zero(1, sizeof *member);
	AUTO_ARCHIVE struct archive *archive = archive_create(file_stream_init(file, fd), &limits);
	bool found;

	for (;;) {
		if (!archive_next(archive, member, &found, err))
			return false;
		if (!found)
			return true;
		if (!take_member(walk, archive, member, err))
			return false;
	}
}

/* ---- either ---- */

bool doctree_read(const char *path, size_t table_max,
	bool (*take)(void *context, const struct doctree_page *page, struct err *err), void *context,
	size_t *others, struct err *err)
{
	struct walk walk = {.take = take, .context = context, .table_max = table_max};
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	bool done;

	if (fd < 0 || fstat(fd, &status) < 0)
		return err_errno(err, errno, "open %s", path);
	done = S_ISDIR(status.st_mode) ? walk_folder(&walk, path, err) : walk_archive(&walk, fd, err);
	*others = walk.others;
	return done;
}
