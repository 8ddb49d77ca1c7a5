/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/container.h"
#include "common/file.h"
#include "common/mem.h"
#include "server/bundle/medium.h"
#include "server/bundle/outlet.h"

enum { INDEX_BYTES_MAX = 64 << 10 };

/* A blob's name while it is not whole. */
static const char draft[] = "unfinished";

struct folder_outlet {
	struct outlet outlet;
	char *path;
	int fd;
	int blobs_fd; /* blobs/sha256 */
	struct buffer index;
};

static struct folder_outlet *folder_of(struct outlet *outlet)
{
	return CONTAINER_OF(outlet, struct folder_outlet, outlet);
}

/* ---- open ---- */

static void own_dir(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}

static bool check_empty(const char *path, struct err *err)
{
	AUTO(own_dir) DIR *folder = opendir(path);

	if (!folder)
		return medium_failed(err, errno, path);
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lost+found") != 0)
			return err_set(err, ERR_CONFLICT,
				"%.200s has other files than a bundle's: name a folder that is new or empty",
				path);
	}
	return true;
}

/* Blobs go to where other blobs are, and nowhere else. */
static bool check_folder(const struct folder_outlet *folder, struct err *err)
{
	AUTO_BUFFER struct buffer layout = {0};
	AUTO_FREE char *path = mem_printf("%s/oci-layout", folder->path);

	return file_read_all(path, INDEX_BYTES_MAX, &layout, err) || check_empty(folder->path, err);
}

/* What is whole is not taken away before the new one is asked for in so many words. */
static bool clear_way(const struct folder_outlet *folder, bool replace, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/index.json", folder->path);
	struct stat status;

	if (lstat(path, &status) < 0)
		return errno == ENOENT || medium_failed(err, errno, path);
	if (!replace)
		return err_set(err, ERR_CONFLICT,
			"%.200s has another bundle: name another folder with -o, or have it replaced with "
			"--force, which copies only what is new",
			folder->path);
	return unlink(path) == 0 || medium_failed(err, errno, path);
}

void outlet_read_index(const char *path, struct buffer *out)
{
	AUTO_FREE char *index = mem_printf("%s/index.json", path);
	struct err err;

	(void)file_read_all(index, INDEX_BYTES_MAX, out, &err);
}

/* Not by a link: what it leads to belongs to somebody else. */
static bool open_blobs(struct folder_outlet *folder)
{
	AUTO_FD int blobs = openat(folder->fd, "blobs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (blobs >= 0)
		folder->blobs_fd = openat(blobs, "sha256", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return folder->blobs_fd >= 0;
}

/* errno is still that of the call which failed. */
static bool make_folders(const char *path, struct err *err)
{
	errno = 0;
	return file_make_open_folders(path, err) || medium_explain(err, errno, path);
}

static bool open_folders(struct folder_outlet *folder, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/blobs/sha256", folder->path);

	return make_folders(path, err) && (open_blobs(folder) || medium_failed(err, errno, path));
}

static bool prepare(struct folder_outlet *folder, bool replace, struct err *err)
{
	if (!make_folders(folder->path, err))
		return false;
	folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->fd < 0)
		return medium_failed(err, errno, folder->path);
	return medium_lock(folder->fd, folder->path, err) && check_folder(folder, err) &&
	       clear_way(folder, replace, err) &&
	       medium_replace(
		       folder->fd, folder->path, "oci-layout", outlet_layout, strlen(outlet_layout), err) &&
	       open_folders(folder, err);
}

/* ---- blobs ---- */

struct writing {
	const struct folder_outlet *folder;
	const char *name;
	int fd;
	int64_t offset;
};

static bool write_block(void *context, const void *bytes, size_t length, struct err *err)
{
	struct writing *writing = context;

	if (!medium_write(writing->fd, writing->folder->path, bytes, length, writing->offset, err))
		return false;
	writing->offset += (int64_t)length;
	return true;
}

static bool name_draft(const struct folder_outlet *folder, const struct digest *digest, struct err *err)
{
	return renameat(folder->blobs_fd, draft, folder->blobs_fd, digest->hex) == 0 ||
	       medium_failed(err, errno, folder->path);
}

static bool drop(void *context, const void *bytes, size_t length, struct err *err)
{
	return true;
}

/* Whether an earlier attempt has brought it, to the byte: media have bad sectors. */
static bool is_there(
	const struct folder_outlet *folder, const struct bundle_blob *blob, struct outlet_watch *watch)
{
	AUTO_FD int fd =
		openat(folder->blobs_fd, blob->digest.hex, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	struct err err;

	return fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	       status.st_size == blob->size_bytes && outlet_pump(blob, fd, watch, drop, NULL, &err);
}

static bool put(
	struct outlet *outlet, const struct digest *digest, const void *bytes, size_t length, struct err *err)
{
	struct folder_outlet *folder = folder_of(outlet);
	const struct bundle_blob blob = {*digest, (int64_t)length};
	struct writing writing = {.folder = folder, .fd = -1};
	bool done;

	if (is_there(folder, &blob, NULL))
		return true;
	if (!medium_create(folder->blobs_fd, folder->path, draft, &writing.fd, err))
		return false;
	done = write_block(&writing, bytes, length, err);
	(void)close(writing.fd);
	return done && name_draft(folder, digest, err);
}

/* Counts what was proved once only, where it is to be copied after all. */
struct lookback {
	struct outlet_watch watch;
	struct outlet_watch *next;
	int64_t bytes;
	struct err failure; /* of the one who was told, and wants no more */
};

static bool count_proved(struct outlet_watch *watch, int64_t bytes, struct err *err)
{
	struct lookback *back = CONTAINER_OF(watch, struct lookback, watch);

	back->bytes += bytes;
	return !back->next || back->next->progressed(back->next, bytes, &back->failure) ||
	       err_set(err, back->failure.code, "given up");
}

static bool copy(struct outlet *outlet, const struct bundle_blob *blob, int fd, struct outlet_watch *watch,
	struct err *err)
{
	struct folder_outlet *folder = folder_of(outlet);
	struct lookback back = {.watch = {count_proved}, .next = watch};
	struct writing writing = {.folder = folder, .fd = -1};
	bool done;

	if (is_there(folder, blob, &back.watch))
		return true;
	if (back.failure.code != ERR_NONE) {
		*err = back.failure;
		return false;
	}
	if (watch && !watch->progressed(watch, -back.bytes, err))
		return false;
	if (!medium_create(folder->blobs_fd, folder->path, draft, &writing.fd, err))
		return false;
	done = outlet_pump(blob, fd, watch, write_block, &writing, err);
	(void)close(writing.fd);
	return done && name_draft(folder, &blob->digest, err);
}

/* ---- the end ---- */

static bool set_index(struct outlet *outlet, const char *text, size_t length, struct err *err)
{
	struct folder_outlet *folder = folder_of(outlet);

	folder->index.length = 0;
	buffer_add(&folder->index, text, length);
	return true;
}

/* What an earlier attempt has brought, and is not in this bundle. */
static void remove_others(const struct folder_outlet *folder, const struct digest_set *wanted)
{
	AUTO_FREE char *path = mem_printf("%s/blobs/sha256", folder->path);
	AUTO(own_dir) DIR *blobs = opendir(path);

	for (struct dirent *entry = blobs ? readdir(blobs) : NULL; entry; entry = readdir(blobs)) {
		struct digest digest;

		if (strcmp(entry->d_name, draft) == 0 ||
			(digest_parse(entry->d_name, &digest) && !digest_set_has(wanted, &digest)))
			(void)unlinkat(folder->blobs_fd, entry->d_name, 0);
	}
}

static bool commit(struct outlet *outlet, const struct digest_set *wanted, struct err *err)
{
	struct folder_outlet *folder = folder_of(outlet);

	remove_others(folder, wanted);
	/* The descriptor is older than all that was written: it hears of whatever could not be. */
	if (syncfs(folder->fd) < 0)
		return medium_failed(err, errno, folder->path);
	return medium_replace(
		folder->fd, folder->path, "index.json", folder->index.data, folder->index.length, err);
}

static void close_folder(struct outlet *outlet)
{
	struct folder_outlet *folder = folder_of(outlet);

	own_close(&folder->blobs_fd);
	own_close(&folder->fd);
	buffer_finish(&folder->index);
	free(folder->path);
	free(folder);
}

static const struct outlet_kind folder_kind = {put, copy, set_index, commit, close_folder};

bool outlet_open_folder(const char *path, bool replace, struct outlet **out, struct err *err)
{
	struct folder_outlet *folder = mem_zero(1, sizeof *folder);
	AUTO_OUTLET struct outlet *outlet = &folder->outlet;

	folder->outlet.kind = &folder_kind;
	folder->path = mem_dup(path);
	folder->fd = folder->blobs_fd = -1;
	if (!prepare(folder, replace, err))
		return false;
	*out = TAKE(outlet);
	return true;
}

/* ---- proving ---- */

static bool differs(const struct folder_outlet *folder, struct err *err)
{
	return medium_differs(err, folder->path);
}

static bool prove_put(
	struct outlet *outlet, const struct digest *digest, const void *bytes, size_t length, struct err *err)
{
	const struct bundle_blob blob = {*digest, (int64_t)length};

	return is_there(folder_of(outlet), &blob, NULL) || differs(folder_of(outlet), err);
}

static bool prove_copy(struct outlet *outlet, const struct bundle_blob *blob, int fd,
	struct outlet_watch *watch, struct err *err)
{
	struct lookback back = {.watch = {count_proved}, .next = watch};

	if (is_there(folder_of(outlet), blob, &back.watch))
		return true;
	if (back.failure.code == ERR_NONE)
		return differs(folder_of(outlet), err);
	*err = back.failure;
	return false;
}

static bool has_file(const struct folder_outlet *folder, const char *name, const void *bytes, size_t length)
{
	AUTO_FD int fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	return fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	       status.st_size == (off_t)length && medium_has(fd, bytes, length, 0);
}

static bool prove_end(struct outlet *outlet, const struct digest_set *wanted, struct err *err)
{
	const struct folder_outlet *folder = folder_of(outlet);

	return (has_file(folder, "oci-layout", outlet_layout, strlen(outlet_layout)) &&
		       has_file(folder, "index.json", folder->index.data, folder->index.length)) ||
	       differs(folder, err);
}

static const struct outlet_kind proving_kind = {prove_put, prove_copy, set_index, prove_end, close_folder};

bool outlet_prove_folder(const char *path, struct outlet **out, struct err *err)
{
	struct folder_outlet *folder = mem_zero(1, sizeof *folder);
	AUTO_OUTLET struct outlet *outlet = &folder->outlet;

	folder->outlet.kind = &proving_kind;
	folder->path = mem_dup(path);
	folder->blobs_fd = -1;
	folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->fd < 0 || !open_blobs(folder))
		return differs(folder, err);
	*out = TAKE(outlet);
	return true;
}
