/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/guess.h"

#include <string.h>
#include <unistd.h>

#include "common/container.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/archives/archive.h"
#include "server/module/archives/membername.h"

static bool next_from_file(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct file_stream *file = CONTAINER_OF(stream, struct file_stream, stream);

	if (!file_read_at(file->fd, file->block, sizeof file->block, file->offset, length, err))
		return false;
	file->offset += (int64_t)*length;
	*data = file->block;
	return true;
}

struct stream *file_stream_init(struct file_stream *file, int fd)
{
	file->stream = (struct stream){next_from_file};
	file->fd = fd;
	file->offset = 0;
	return &file->stream;
}

static bool has(const char *folder, const char *name)
{
	AUTO_FREE char *path = mem_printf("%s/%s", folder, name);

	return access(path, F_OK) == 0;
}

static bool is_saved_model(const char *name)
{
	return strcmp(name, "saved_model.pb") == 0 || strcmp(name, "saved_model.pbtxt") == 0;
}

static bool has_saved_model(const char *folder)
{
	return has(folder, "saved_model.pb") || has(folder, "saved_model.pbtxt");
}

enum format guess_folder(const char *folder)
{
	return has(folder, "model.json") && !has_saved_model(folder) ? FORMAT_TFJS : FORMAT_TF_HUB;
}

bool guess_is_ambiguous(const char *folder)
{
	return has(folder, "model.json") && has_saved_model(folder);
}

static enum format guess_archive(struct stream *stream)
{
	AUTO_ARCHIVE struct archive *archive = archive_create(stream, &(struct archive_limits){0});
	AUTO_FREE struct member *member = mem_zero(1, sizeof *member);
	AUTO_FREE char *name = mem_zero(1, ARCHIVE_NAME_MAX + 1);
	bool has_model_json = false;
	bool found;
	struct err err;

	while (archive_next(archive, member, &found, &err) && found) {
		membername_normalise(member->name, name);
		if (is_saved_model(name))
			return FORMAT_TF_HUB;
		has_model_json = has_model_json || strcmp(name, "model.json") == 0;
	}
	return has_model_json ? FORMAT_TFJS : FORMAT_TF_HUB;
}

enum format guess_file(const char *path, int fd)
{
	AUTO_FREE struct file_stream *file = mem_zero(1, sizeof *file);
	const char *suffix = strrchr(path, '.');

	if (suffix && strcmp(suffix, formats[FORMAT_TFLITE].file_suffix) == 0)
		return FORMAT_TFLITE;
	return guess_archive(file_stream_init(file, fd));
}
