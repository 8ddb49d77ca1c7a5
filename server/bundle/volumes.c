/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/mem.h"
#include "server/bundle/medium.h"
#include "server/bundle/strictjson.h"

struct volumes {
	char *path;   /* of the whole */
	char *name;   /* its last part */
	char *folder; /* where it is */
	int folder_fd;
	int64_t split_bytes;
	bool proves; /* what is there is compared, and nothing is written */
	/* The piece that is being written. */
	int number;
	char *piece_path;
	int fd;
	int64_t known_end; /* so much was there before */
	int64_t length;
	struct hasher *hasher; /* NULL where there is one file */
	json_t *pieces;
	int64_t total;
};

/* ---- open ---- */

static bool open_folder(struct volumes *volumes, struct err *err)
{
	AUTO_FREE char *for_folder = mem_dup(volumes->path);
	AUTO_FREE char *for_name = mem_dup(volumes->path);
	int failure;

	volumes->folder = mem_dup(dirname(for_folder));
	volumes->name = mem_dup(basename(for_name));
	volumes->folder_fd = open(volumes->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	failure = errno;
	return volumes->folder_fd >= 0 || err_errno(err, failure, "open folder %.200s", volumes->folder) ||
	       medium_explain(err, failure, volumes->folder);
}

/* What is whole is not taken away before the new one is asked for in so many words. */
static bool clear_way(const struct volumes *volumes, bool replace, struct err *err)
{
	AUTO_FREE char *list = mem_printf("%s.pieces", volumes->path);
	const char *whole = volumes->split_bytes > 0 ? list : volumes->path;
	struct stat status;

	if (lstat(whole, &status) < 0)
		return errno == ENOENT || medium_failed(err, errno, whole);
	if (!replace)
		return err_set(err, ERR_CONFLICT,
			"%.200s is there already: name another with -o, or have it replaced with --force",
			whole);
	/* One file is renamed over the other in the end. */
	return volumes->split_bytes == 0 || unlink(whole) == 0 || medium_failed(err, errno, whole);
}

static bool differs(const struct volumes *volumes, struct err *err)
{
	return medium_differs(err, volumes->path);
}

static char *piece_path(const struct volumes *volumes)
{
	if (volumes->split_bytes > 0)
		return mem_printf("%s.%03d", volumes->path, volumes->number);
	return volumes->proves ? mem_dup(volumes->path) : mem_printf("%s.part", volumes->path);
}

static bool open_piece(struct volumes *volumes, struct err *err)
{
	struct stat status;

	if (++volumes->number > VOLUMES_COUNT_MAX)
		return err_set(err, ERR_TOO_LARGE, "there would be more than %d pieces: use larger ones",
			VOLUMES_COUNT_MAX);
	free(volumes->piece_path);
	volumes->piece_path = piece_path(volumes);
	volumes->fd = open(volumes->piece_path,
		(volumes->proves ? O_RDONLY : O_RDWR | O_CREAT) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
	if (volumes->fd < 0 || fstat(volumes->fd, &status) < 0)
		return volumes->proves ? differs(volumes, err)
				       : medium_failed(err, errno, volumes->piece_path);
	if (!S_ISREG(status.st_mode))
		return err_set(err, ERR_CONFLICT, "%.200s is no file", volumes->piece_path);
	volumes->known_end = status.st_size;
	volumes->length = 0;
	volumes->hasher = volumes->split_bytes > 0 ? hasher_create() : NULL;
	return volumes->proves || medium_lock(volumes->fd, volumes->piece_path, err);
}

static struct volumes *create(const char *path, int64_t split_bytes, bool proves)
{
	struct volumes *volumes = mem_zero(1, sizeof *volumes);

	volumes->proves = proves;
	volumes->path = mem_dup(path);
	volumes->fd = volumes->folder_fd = -1;
	volumes->split_bytes = split_bytes;
	volumes->pieces = json_array();
	return volumes;
}

bool volumes_open(const char *path, int64_t split_bytes, bool replace, struct volumes **out, struct err *err)
{
	AUTO_VOLUMES struct volumes *volumes = create(path, split_bytes, false);

	if (!open_folder(volumes, err) || !clear_way(volumes, replace, err) || !open_piece(volumes, err))
		return false;
	*out = TAKE(volumes);
	return true;
}

bool volumes_prove(const char *path, int64_t split_bytes, struct volumes **out, struct err *err)
{
	AUTO_VOLUMES struct volumes *volumes = create(path, split_bytes, true);

	if (!open_folder(volumes, err) || !open_piece(volumes, err))
		return false;
	*out = TAKE(volumes);
	return true;
}

void volumes_close(struct volumes *volumes)
{
	if (!volumes)
		return;
	own_close(&volumes->fd);
	own_close(&volumes->folder_fd);
	hasher_destroy(volumes->hasher);
	json_decref(volumes->pieces);
	free(volumes->piece_path);
	free(volumes->folder);
	free(volumes->name);
	free(volumes->path);
	free(volumes);
}

/* ---- write ---- */

static void note_piece(struct volumes *volumes)
{
	const char *slash = strrchr(volumes->piece_path, '/');
	struct digest digest = hasher_result(volumes->hasher);

	(void)json_array_append_new(volumes->pieces,
		json_pack("{s:s, s:I, s:o}", "name", slash ? slash + 1 : volumes->piece_path, "size",
			(json_int_t)volumes->length, "digest", strictjson_digest_value(&digest)));
}

static bool settle_piece(const struct volumes *volumes, struct err *err)
{
	return ((volumes->known_end <= volumes->length || ftruncate(volumes->fd, volumes->length) == 0) &&
		       fsync(volumes->fd) == 0) ||
	       medium_failed(err, errno, volumes->piece_path);
}

/* Ends the piece that is being written: nothing of an earlier attempt stays behind its end. */
static bool end_piece(struct volumes *volumes, struct err *err)
{
	if (volumes->proves && volumes->known_end != volumes->length)
		return differs(volumes, err);
	if (!volumes->proves && !settle_piece(volumes, err))
		return false;
	if (volumes->hasher)
		note_piece(volumes);
	hasher_destroy(TAKE(volumes->hasher));
	(void)close(TAKE_FD(volumes->fd));
	return true;
}

static bool write_part(struct volumes *volumes, const char *bytes, size_t length, struct err *err)
{
	if (volumes->proves)
		return medium_has(volumes->fd, bytes, length, volumes->length) || differs(volumes, err);
	return medium_write_over(
		volumes->fd, volumes->piece_path, bytes, length, volumes->length, volumes->known_end, err);
}

bool volumes_write(struct volumes *volumes, const void *bytes, size_t length, struct err *err)
{
	const char *next = bytes;

	while (length > 0) {
		int64_t room = volumes->split_bytes > 0 ? volumes->split_bytes - volumes->length : INT64_MAX;
		size_t part = (int64_t)length < room ? length : (size_t)room;

		if (part == 0) {
			if (!end_piece(volumes, err) || !open_piece(volumes, err))
				return false;
			continue;
		}
		if (!write_part(volumes, next, part, err))
			return false;
		if (volumes->hasher)
			hasher_add(volumes->hasher, next, part);
		volumes->length += (int64_t)part;
		volumes->total += (int64_t)part;
		next += part;
		length -= part;
	}
	return true;
}

/* ---- commit ---- */

/* Pieces of an earlier attempt that was longer. */
static void remove_later_pieces(const struct volumes *volumes)
{
	for (int number = volumes->number + 1; number <= VOLUMES_COUNT_MAX; number++) {
		AUTO_FREE char *path = mem_printf("%s.%03d", volumes->path, number);

		if (unlink(path) < 0)
			return;
	}
}

static bool has_list(const struct volumes *volumes, const char *name, const char *text)
{
	AUTO_FD int fd = openat(volumes->folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	return fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	       status.st_size == (off_t)strlen(text) && medium_has(fd, text, strlen(text), 0);
}

static bool write_list(struct volumes *volumes, struct err *err)
{
	json_auto_t *list = json_pack("{s:i, s:s, s:I, s:O}", "larder_pieces", 1, "name", volumes->name,
		"size", (json_int_t)volumes->total, "pieces", volumes->pieces);
	AUTO_FREE char *name = mem_printf("%s.pieces", volumes->name);
	AUTO_FREE char *text = json_dumps(list, JSON_INDENT(1));

	if (volumes->proves)
		return has_list(volumes, name, text) || differs(volumes, err);
	return medium_replace(volumes->folder_fd, volumes->folder, name, text, strlen(text), err);
}

bool volumes_commit(struct volumes *volumes, struct err *err)
{
	if (!end_piece(volumes, err))
		return false;
	if (volumes->split_bytes > 0 && !volumes->proves)
		remove_later_pieces(volumes);
	if (volumes->split_bytes > 0)
		return write_list(volumes, err);
	if (volumes->proves)
		return true;
	if (rename(volumes->piece_path, volumes->path) < 0 || fsync(volumes->folder_fd) < 0)
		return medium_failed(err, errno, volumes->path);
	return true;
}

int volumes_pieces(const struct volumes *volumes)
{
	return volumes->split_bytes > 0 ? volumes->number : 0;
}
