/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/zip_pieces.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/module/archives/archive_fault.h"
#include "server/registry/zip_directory.h"

/* Below so many bytes nobody asks how small they were packed. */
enum { BLOCK_BYTES = 64 << 10, RATIO_FROM_BYTES = 16 << 20 };

struct zip {
	struct archive *archive;
	int64_t zip_bytes;
	const struct archive_limits *limits;
	struct inflow *inflow;
	struct pieces *pieces;
	int64_t members;
	int64_t bytes;
};

bool zip_pieces_is_path(const char *path)
{
	size_t length;

	if (!*path || strlen(path) > ARCHIVE_NAME_MAX || !utf8_is_text(path, strlen(path)))
		return false;
	for (const char *at = path;; at += length + 1) {
		length = strcspn(at, "/");
		if (length == 0 || (length == 1 && *at == '.') || (length == 2 && strncmp(at, "..", 2) == 0))
			return false;
		if (!at[length])
			return true;
	}
}

static bool fail(const struct zip *zip, struct err *err)
{
	const char *text = archive_error_string(zip->archive);

	return err_set(err, ERR_INVALID_MODULE, "archive.zip cannot be read: %.150s",
		text ? text : "it is broken, or takes a password");
}

static bool check_size(const struct zip *zip, struct err *err)
{
	if (zip->bytes > zip->limits->max_unpacked_bytes)
		return err_set(err, ERR_INVALID_MODULE,
			"archive.zip has more than publish.max_unpacked_bytes when it is unpacked");
	return zip->bytes <= RATIO_FROM_BYTES || zip->bytes / zip->limits->max_ratio <= zip->zip_bytes ||
	       err_set(err, ERR_INVALID_MODULE,
		       "archive.zip has more than publish.max_ratio times its size when it is unpacked");
}

/* NULL, with the refusal, where it is none that may be; "" for a folder, which needs no piece. */
static char *path_of(const struct zip *zip, struct archive_entry *entry, struct err *err)
{
	const char *name = archive_entry_pathname_utf8(entry);
	AUTO_FREE char *path = mem_dup(name ? name : "");
	size_t length = strlen(path);
	bool is_folder = archive_entry_filetype(entry) == AE_IFDIR;

	if (zip->members > zip->limits->max_members) {
		(void)zip_refuse_many(err);
		return NULL;
	}
	if (is_folder && length > 0 && path[length - 1] == '/')
		path[length - 1] = '\0';
	if (!zip_pieces_is_path(path)) {
		(void)err_set(err, ERR_INVALID_MODULE,
			"archive.zip has a name that may not be unpacked: \"%.100s\"", path);
		return NULL;
	}
	if (is_folder)
		return mem_dup("");
	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_is_encrypted(entry)) {
		(void)err_set(
			err, ERR_INVALID_MODULE, "archive.zip has \"%.100s\", which is no plain file", path);
		return NULL;
	}
	return TAKE(path);
}

static bool pour(struct zip *zip, const void *bytes, size_t length, struct err *err)
{
	zip->bytes += (int64_t)length;
	return check_size(zip, err) &&
	       (inflow_has_room(zip->inflow, length) || inflow_make_room(zip->inflow, length, err)) &&
	       inflow_put(zip->inflow, bytes, length, err);
}

static bool take_file(struct zip *zip, const char *path, struct err *err)
{
	AUTO_FREE char *block = mem_zero(1, BLOCK_BYTES);
	struct piece *piece = pieces_add(zip->pieces, path, zip->inflow->length);
	la_ssize_t got;

	while ((got = archive_read_data(zip->archive, block, BLOCK_BYTES)) > 0) {
		if (!pour(zip, block, (size_t)got, err))
			return false;
		piece->size_bytes += got;
	}
	return got == 0 || fail(zip, err);
}

static bool take_all(struct zip *zip, struct err *err)
{
	struct archive_entry *entry;
	int result;

	while ((result = archive_read_next_header(zip->archive, &entry)) == ARCHIVE_OK) {
		AUTO_FREE char *path = NULL;

		zip->members++;
		path = path_of(zip, entry, err);
		if (!path || (*path && !take_file(zip, path, err)))
			return false;
	}
	return (result == ARCHIVE_EOF && inflow_flush(zip->inflow, err)) ||
	       (result != ARCHIVE_EOF && fail(zip, err));
}

static bool read_zip(int fd, int64_t zip_bytes, const struct archive_limits *limits, struct inflow *inflow,
	struct pieces *out, struct err *err)
{
	struct zip zip = {archive_read_new(), zip_bytes, limits, inflow, out, 0, 0};
	bool done;

	if (!zip.archive)
		abort();
	(void)archive_read_support_format_zip_seekable(zip.archive);
	done = lseek(fd, 0, SEEK_SET) == 0 &&
	       archive_read_open_fd(zip.archive, fd, BLOCK_BYTES) == ARCHIVE_OK;
	done = done ? take_all(&zip, err) : fail(&zip, err);
	(void)archive_read_free(zip.archive);
	return done;
}

bool zip_pieces_read(int fd, int64_t zip_bytes, const struct archive_limits *limits, struct inflow *inflow,
	struct pieces *out, struct err *err)
{
	locale_t utf8;
	locale_t before;
	bool done;

	/* libarchive takes memory for all entries before it gives the first of them. */
	if (!zip_directory_check(fd, zip_bytes, limits->max_members, err))
		return false;
	/* libarchive reads names by way of the thread's locale: "C" has none but ASCII's. */
	utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	before = utf8 ? uselocale(utf8) : (locale_t)0;
	done = read_zip(fd, zip_bytes, limits, inflow, out, err);

	if (utf8) {
		(void)uselocale(before);
		freelocale(utf8);
	}
	return done;
}
