/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/extraction.h"

#include "common/mem.h"
#include "common/own.h"
#include "server/command/draft_folder.h"
#include "server/command/folder_writer.h"
#include "server/module/archives/archive.h"
#include "server/module/archives/guess.h"
#include "server/module/archives/membername.h"

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

static bool extract(int archive_fd, int root, unsigned file_mode, struct err *err)
{
	const struct folder_writer_modes modes = {file_mode, 0777};
	AUTO_FOLDER_WRITER struct folder_writer *writer = NULL;

	return folder_writer_open(root, &modes, &writer, err) && write_members(archive_fd, writer, err);
}

bool extraction_run(int archive_fd, const char *folder, unsigned file_mode, struct err *err)
{
	AUTO_DRAFT_FOLDER struct draft_folder draft = {.root = -1};

	if (!draft_folder_open(&draft, folder, err))
		return false;
	if (!extract(archive_fd, draft.root, file_mode, err))
		return err_prefix(err, "It cannot be unpacked into %s: ", folder);
	return draft_folder_commit(&draft, err);
}
