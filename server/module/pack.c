/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/utf8.h"

/* A file or folder below the one that is packed. */
struct item {
	char *path; /* as it is opened */
	char *name; /* in the archive: "./", "./assets/", "./saved_model.pb" */
	bool is_folder;
	int64_t size_bytes;
};

struct items {
	struct item *list;
	size_t count;
	size_t capacity;
	int64_t total_bytes;
};

struct packing {
	struct archive *archive;
	struct pack_watcher *watcher;
	int64_t done_bytes;
	int64_t total_bytes;
};

static void close_walk(FTS *walk)
{
	if (walk)
		(void)fts_close(walk);
}

AUTO_CLEANER(own_fts, FTS *, close_walk)
AUTO_CLEANER(own_writer, struct archive *, (void)archive_write_free)
AUTO_CLEANER(own_entry, struct archive_entry *, archive_entry_free)

static void finish_items(struct items *items)
{
	for (size_t i = 0; i < items->count; i++) {
		free(items->list[i].path);
		free(items->list[i].name);
	}
	free(items->list);
}

/* ---- what there is ---- */

static bool is_utf8(const char *text)
{
	uint32_t code;
	size_t length;

	for (; *text; text += length) {
		length = utf8_decode(text, &code);
		if (length == 0)
			return false;
	}
	return true;
}

static bool add_item(struct items *items, const FTSENT *entry, size_t root_length, struct err *err)
{
	const char *relative = entry->fts_path + root_length;
	bool is_folder = entry->fts_info == FTS_D;
	int64_t size_bytes = is_folder ? 0 : entry->fts_statp->st_size;

	relative += strspn(relative, "/");
	if (!is_utf8(relative))
		return err_set(err, ERR_INVALID_MODULE, "The name of %s is not UTF-8.", entry->fts_path);
	MEM_GROW(items->list, items->count, items->capacity);
	items->list[items->count++] = (struct item){
		.path = mem_dup(entry->fts_path),
		.name = mem_printf("./%s%s", relative, is_folder && *relative ? "/" : ""),
		.is_folder = is_folder,
		.size_bytes = size_bytes,
	};
	items->total_bytes += size_bytes;
	return true;
}

static bool take_entry(struct items *items, const FTSENT *entry, size_t root_length, struct err *err)
{
	switch (entry->fts_info) {
	case FTS_D:
	case FTS_F:
		return add_item(items, entry, root_length, err);
	case FTS_DP:
		return true;
	case FTS_SL:
	case FTS_SLNONE:
		return err_set(err, ERR_INVALID_MODULE,
			"%s is a symbolic link: hub clients take files and folders only.", entry->fts_path);
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return err_errno(err, entry->fts_errno, "read %s", entry->fts_path);
	default:
		return err_set(
			err, ERR_INVALID_MODULE, "%s is neither a file nor a folder.", entry->fts_path);
	}
}

static int compare_items(const void *left, const void *right)
{
	const struct item *a = left;
	const struct item *b = right;

	return a->is_folder == b->is_folder ? strcmp(a->name, b->name) : b->is_folder - a->is_folder;
}

static bool list_items(const char *folder, struct items *items, struct err *err)
{
	AUTO_FREE char *root = mem_dup(folder);
	char *roots[] = {root, NULL};
	AUTO(own_fts) FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);

	if (!walk)
		return err_errno(err, errno, "read %s", folder);
	for (;;) {
		const FTSENT *entry;

		errno = 0;
		entry = fts_read(walk);
		if (!entry && errno)
			return err_errno(err, errno, "read %s", folder);
		if (!entry)
			break;
		if (entry->fts_level == FTS_ROOTLEVEL && entry->fts_info == FTS_F)
			return err_set(err, ERR_BAD_REQUEST, "%s is no folder.", folder);
		if (!take_entry(items, entry, strlen(folder), err))
			return false;
	}
	qsort(items->list, items->count, sizeof *items->list, compare_items);
	return true;
}

/* ---- writing them ---- */

static bool fail_archive(struct archive *archive, const char *name, struct err *err)
{
	int number = archive_errno(archive);
	const char *text = archive_error_string(archive);

	if (number == ENOSPC || number == EDQUOT)
		return err_errno(err, number, "write the archive");
	return err_set(
		err, ERR_INTERNAL, "%s cannot be packed: %s.", name, text ? text : "libarchive refuses it");
}

static bool write_header(struct packing *packing, const struct item *item, struct err *err)
{
	AUTO(own_entry) struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, item->name);
	archive_entry_set_filetype(entry, item->is_folder ? AE_IFDIR : AE_IFREG);
	archive_entry_set_perm(entry, item->is_folder ? 0755 : 0644);
	archive_entry_set_size(entry, item->size_bytes);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	/* A warning is a name that was not written as it should be. */
	return archive_write_header(packing->archive, entry) == ARCHIVE_OK ||
	       fail_archive(packing->archive, item->name, err);
}

static bool write_block(
	struct packing *packing, const struct item *item, const char *block, size_t length, struct err *err)
{
	if (archive_write_data(packing->archive, block, length) != (la_ssize_t)length)
		return fail_archive(packing->archive, item->name, err);
	packing->done_bytes += (int64_t)length;
	if (packing->watcher)
		packing->watcher->progressed(packing->watcher, packing->done_bytes, packing->total_bytes);
	return true;
}

/* The header has told the size already: a file that was changed in the meantime cannot be packed. */
static bool write_content(struct packing *packing, const struct item *item, struct err *err)
{
	AUTO_FD int fd = open(item->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int64_t offset = 0;
	char block[65536];
	size_t got;

	if (fd < 0)
		return err_errno(err, errno, "open %s", item->path);
	do {
		if (!file_read_at(fd, block, sizeof block, offset, &got, err))
			return err_prefix(err, "%s: ", item->path);
		offset += (int64_t)got;
		if (offset > item->size_bytes || (got < sizeof block && offset < item->size_bytes))
			return err_set(err, ERR_CONFLICT, "%s was changed while it was packed.", item->path);
		if (got > 0 && !write_block(packing, item, block, got, err))
			return false;
	} while (got == sizeof block);
	return true;
}

static bool write_items(struct packing *packing, const struct items *items, struct err *err)
{
	for (size_t i = 0; i < items->count; i++) {
		const struct item *item = &items->list[i];

		if (!write_header(packing, item, err) ||
			(!item->is_folder && !write_content(packing, item, err)))
			return false;
	}
	return archive_write_close(packing->archive) == ARCHIVE_OK ||
	       fail_archive(packing->archive, "The archive's end", err);
}

/* ustar, with pax headers only for what does not fit. */
static bool open_archive(struct archive *archive, int fd, struct err *err)
{
	if (archive_write_set_format_pax_restricted(archive) == ARCHIVE_OK &&
		archive_write_add_filter_gzip(archive) == ARCHIVE_OK &&
		archive_write_set_filter_option(archive, "gzip", "compression-level", "6") == ARCHIVE_OK &&
		archive_write_set_filter_option(archive, "gzip", "timestamp", NULL) == ARCHIVE_OK &&
		archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK &&
		archive_write_open_fd(archive, fd) == ARCHIVE_OK)
		return true;
	return fail_archive(archive, "The folder", err);
}

/* libarchive reads names by the thread's locale, on which the bytes must not depend. */
static locale_t enter_utf8(locale_t *out_before)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

	*out_before = utf8 ? uselocale(utf8) : (locale_t)0;
	return utf8;
}

static void leave_utf8(locale_t utf8, locale_t before)
{
	if (!utf8)
		return;
	(void)uselocale(before);
	freelocale(utf8);
}

bool pack_folder(const char *folder, int fd, struct pack_watcher *watcher, struct err *err)
{
	AUTO(finish_items) struct items items = {0};
	AUTO(own_writer) struct archive *archive = archive_write_new();
	struct packing packing = {.archive = archive, .watcher = watcher};
	locale_t before, utf8;
	bool done;

	if (!list_items(folder, &items, err))
		return false;
	packing.total_bytes = items.total_bytes;
	utf8 = enter_utf8(&before);
	done = open_archive(archive, fd, err) && write_items(&packing, &items, err);
	leave_utf8(utf8, before);
	return done;
}
