/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/folder_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"

/* Without NO_OVERWRITE a file would make room for a folder of its name. */
enum {
	SECURE = ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
		 ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS,
	MAKES = SECURE | ARCHIVE_EXTRACT_NO_OVERWRITE,
	REPLACES = SECURE | ARCHIVE_EXTRACT_UNLINK
};

struct folder_writer {
	struct archive *disk;
	struct archive_entry *entry;
	struct folder_writer_modes modes;
	int before; /* where the process worked */
};

bool folder_writer_open(
	int root, const struct folder_writer_modes *modes, struct folder_writer **out, struct err *err)
{
	AUTO_FD int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct folder_writer *writer;

	if (before < 0 || fchdir(root) < 0)
		return err_errno(err, errno, "work in a new folder");
	writer = mem_zero(1, sizeof *writer);
	*writer = (struct folder_writer){
		archive_write_disk_new(), archive_entry_new(), *modes, TAKE_FD(before)};
	if (!writer->disk || !writer->entry)
		abort();
	*out = writer;
	return true;
}

void folder_writer_close(struct folder_writer *writer)
{
	if (!writer)
		return;
	(void)archive_write_free(writer->disk);
	archive_entry_free(writer->entry);
	(void)!fchdir(writer->before);
	own_close(&writer->before);
	free(writer);
}

/* What is not the system's refusal is about the name. */
static bool fail(struct folder_writer *writer, struct err *err)
{
	int number = archive_errno(writer->disk);
	const char *text = archive_error_string(writer->disk);

	if (number > 0 && number != EEXIST)
		return err_errno(err, number, "write what is in it");
	return err_set(err, ERR_INVALID_MODULE, "a name in it cannot be unpacked (%.150s)",
		text ? text : "libarchive refuses it");
}

/* Looking harms nothing, wherever the name leads. */
static bool choose(struct folder_writer *writer, const char *name, bool is_folder, struct err *err)
{
	struct stat status;
	bool is_there = lstat(name, &status) == 0;
	bool is_below_a_file = !is_there && errno == ENOTDIR;

	if (is_below_a_file ||
		(is_there && (is_folder ? !S_ISDIR(status.st_mode) : !S_ISREG(status.st_mode))))
		return err_set(err, ERR_INVALID_MODULE, "a name in it is a file's and a folder's");
	(void)archive_write_disk_set_options(writer->disk, is_there && !is_folder ? REPLACES : MAKES);
	return true;
}

static bool add(
	struct folder_writer *writer, const char *name, bool is_folder, int64_t size_bytes, struct err *err)
{
	struct archive_entry *entry = archive_entry_clear(writer->entry);

	if (!choose(writer, name, is_folder, err))
		return false;
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, is_folder ? AE_IFDIR : AE_IFREG);
	archive_entry_set_perm(entry, is_folder ? writer->modes.folder : writer->modes.file);
	archive_entry_set_size(entry, size_bytes);
	/* A warning is something that was not made as it should be. */
	return archive_write_header(writer->disk, entry) == ARCHIVE_OK || fail(writer, err);
}

bool folder_writer_add_folder(struct folder_writer *writer, const char *name, struct err *err)
{
	return add(writer, name, true, 0, err);
}

bool folder_writer_add_file(
	struct folder_writer *writer, const char *name, int64_t size_bytes, struct err *err)
{
	return add(writer, name, false, size_bytes, err);
}

bool folder_writer_write(struct folder_writer *writer, const void *bytes, size_t length, struct err *err)
{
	return archive_write_data(writer->disk, bytes, length) == (la_ssize_t)length || fail(writer, err);
}

bool folder_writer_finish(struct folder_writer *writer, struct err *err)
{
	return archive_write_close(writer->disk) == ARCHIVE_OK || fail(writer, err);
}
