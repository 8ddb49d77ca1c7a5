/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/buffer.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/module/archives/ustar.h"

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

/* Looking what there is. */
struct walk {
	FTS *fts;
	enum pack_links links;
	struct pack_watcher *watcher;
	char *root; /* without links, where they are followed */
	size_t root_length;
	struct items *items;
};

struct packing {
	gzFile archive;
	enum pack_links links;
	struct pack_watcher *watcher;
	int64_t done_bytes;
	int64_t total_bytes;
};

static void finish_walk(struct walk *walk)
{
	if (walk->fts)
		(void)fts_close(walk->fts);
	free(walk->root);
}

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

static bool lies_under(const char *path, const char *root)
{
	size_t length = strlen(root);

	return strncmp(path, root, length) == 0 &&
	       (path[length] == '/' || !path[length] || root[length - 1] == '/');
}

/* The walk shows what a link leads to as if it stood there. */
static bool tell_of_link(const struct walk *walk, const FTSENT *entry, struct err *err)
{
	AUTO_FREE char *target = NULL;
	struct stat status;

	if (entry->fts_level == FTS_ROOTLEVEL || lstat(entry->fts_accpath, &status) < 0 ||
		!S_ISLNK(status.st_mode))
		return true;
	target = realpath(entry->fts_accpath, NULL);
	if (!target)
		return err_errno(err, errno, "follow %s", entry->fts_path);
	if (walk->watcher && walk->watcher->left && !lies_under(target, walk->root))
		walk->watcher->left(walk->watcher, entry->fts_path, target);
	return true;
}

static bool take_item(const struct walk *walk, const FTSENT *entry, struct err *err)
{
	if (walk->links == PACK_LINKS_FOLLOWED && walk->items->count >= PACK_LINKED_MAX)
		return err_set(err, ERR_INVALID_MODULE,
			"With what its links lead to, the folder has more than %d files and folders; %s is "
			"one of "
			"them.",
			PACK_LINKED_MAX, entry->fts_path);
	return (walk->links == PACK_LINKS_REFUSED || tell_of_link(walk, entry, err)) &&
	       add_item(walk->items, entry, walk->root_length, err);
}

static bool refuse_link(const struct walk *walk, const FTSENT *entry, struct err *err)
{
	if (walk->links == PACK_LINKS_REFUSED)
		return err_set(err, ERR_INVALID_MODULE,
			"%s is a symbolic link: hub clients take files and folders only. With --dereference "
			"what it leads to is packed in its place.",
			entry->fts_path);
	return err_set(err, ERR_INVALID_MODULE, "%s is a symbolic link to something that is not there.",
		entry->fts_path);
}

static bool take_entry(const struct walk *walk, const FTSENT *entry, struct err *err)
{
	switch (entry->fts_info) {
	case FTS_D:
	case FTS_F:
		return take_item(walk, entry, err);
	case FTS_DP:
		return true;
	case FTS_SL:
	case FTS_SLNONE:
		return refuse_link(walk, entry, err);
	case FTS_DC:
		return err_set(err, ERR_INVALID_MODULE,
			"%s leads back to %s, which holds it: remove the link, or pack what it is to stand "
			"for.",
			entry->fts_path, entry->fts_cycle->fts_path);
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

static bool open_walk(const char *folder, struct walk *walk, struct err *err)
{
	AUTO_FREE char *path = mem_dup(folder);
	char *roots[] = {path, NULL};
	int options = walk->links == PACK_LINKS_FOLLOWED ? FTS_LOGICAL : FTS_PHYSICAL | FTS_COMFOLLOW;

	walk->root_length = strlen(folder);
	walk->root = realpath(folder, NULL);
	/* Last: what is closed before it was read leaks in glibc. */
	if (walk->root)
		walk->fts = fts_open(roots, options | FTS_NOCHDIR, NULL);
	return walk->fts || err_errno(err, errno, "read %s", folder);
}

static bool list_items(const char *folder, struct walk *walk, struct err *err)
{
	struct items *items = walk->items;

	if (!open_walk(folder, walk, err))
		return false;
	for (;;) {
		const FTSENT *entry;

		errno = 0;
		entry = fts_read(walk->fts);
		if (!entry && errno)
			return err_errno(err, errno, "read %s", folder);
		if (!entry)
			break;
		if (entry->fts_level == FTS_ROOTLEVEL && entry->fts_info == FTS_F)
			return err_set(err, ERR_BAD_REQUEST, "%s is no folder.", folder);
		if (!take_entry(walk, entry, err))
			return false;
	}
	qsort(items->list, items->count, sizeof *items->list, compare_items);
	return true;
}

/* ---- writing them ---- */

static bool fail_writing(int number, struct err *err)
{
	return err_errno(err, number, "write the archive");
}

/* length is less than 2 GiB. */
static bool write_bytes(struct packing *packing, const void *bytes, size_t length, struct err *err)
{
	int number = Z_OK;

	if (gzwrite(packing->archive, bytes, (unsigned)length) == (int)length)
		return true;
	(void)gzerror(packing->archive, &number);
	return fail_writing(number == Z_ERRNO ? errno : EIO, err);
}

static bool write_header(struct packing *packing, const struct item *item, struct err *err)
{
	AUTO_BUFFER struct buffer header = {0};

	ustar_add_header(&header, item->name, item->is_folder, item->size_bytes);
	return write_bytes(packing, header.data, header.length, err);
}

static bool write_padding(struct packing *packing, const struct item *item, struct err *err)
{
	AUTO_BUFFER struct buffer padding = {0};

	ustar_add_padding(&padding, item->size_bytes);
	return write_bytes(packing, padding.data, padding.length, err);
}

static bool write_block(struct packing *packing, const char *block, size_t length, struct err *err)
{
	if (!write_bytes(packing, block, length, err))
		return false;
	packing->done_bytes += (int64_t)length;
	if (packing->watcher)
		packing->watcher->progressed(packing->watcher, packing->done_bytes, packing->total_bytes);
	return true;
}

/* The header has told the size already: a file that was changed in the meantime cannot be packed. */
static bool write_content(struct packing *packing, const struct item *item, struct err *err)
{
	int links = packing->links == PACK_LINKS_FOLLOWED ? 0 : O_NOFOLLOW;
	AUTO_FD int fd = open(item->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | links);
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
		if (got > 0 && !write_block(packing, block, got, err))
			return false;
	} while (got == sizeof block);
	return true;
}

static bool write_end(struct packing *packing, struct err *err)
{
	AUTO_BUFFER struct buffer end = {0};

	ustar_add_end(&end);
	if (!write_bytes(packing, end.data, end.length, err))
		return false;
	errno = 0;
	return gzclose_w(TAKE(packing->archive)) == Z_OK || fail_writing(errno ? errno : EIO, err);
}

static bool write_items(struct packing *packing, const struct items *items, struct err *err)
{
	for (size_t i = 0; i < items->count; i++) {
		const struct item *item = &items->list[i];

		if (!write_header(packing, item, err) ||
			(!item->is_folder &&
				(!write_content(packing, item, err) || !write_padding(packing, item, err))))
			return false;
	}
	return write_end(packing, err);
}

/* zlib writes neither time nor name into its head. */
static bool open_archive(struct packing *packing, int fd, struct err *err)
{
	AUTO_FD int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (own < 0)
		return fail_writing(errno, err);
	packing->archive = gzdopen(own, "wb6");
	if (!packing->archive)
		return fail_writing(ENOMEM, err);
	(void)TAKE_FD(own);
	return true;
}

static void finish_packing(struct packing *packing)
{
	if (packing->archive)
		(void)gzclose_w(packing->archive);
}

bool pack_folder(
	const char *folder, enum pack_links links, int fd, struct pack_watcher *watcher, struct err *err)
{
	AUTO(finish_items) struct items items = {0};
	AUTO(finish_walk) struct walk walk = {.links = links, .watcher = watcher, .items = &items};
	AUTO(finish_packing) struct packing packing = {.links = links, .watcher = watcher};

	if (!list_items(folder, &walk, err))
		return false;
	packing.total_bytes = items.total_bytes;
	return open_archive(&packing, fd, err) && write_items(&packing, &items, err);
}
