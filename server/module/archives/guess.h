/* SPDX-License-Identifier: Apache-2.0
 *
 * What a folder or file on disk most likely is, before anybody has said so: its format, by suffix and by the
 * models at its root. */
#ifndef SERVER_MODULE_ARCHIVES_GUESS_H
#define SERVER_MODULE_ARCHIVES_GUESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/stream.h"
#include "server/module/name.h"

/* A folder's format: tfjs where it has a model.json and no SavedModel. */
enum format guess_folder(const char *folder);

/* Whether it has models of both. */
bool guess_is_ambiguous(const char *folder);

/* A file's format: tflite by its suffix, else as for folders, by the archive's members. A broken archive
 * counts as tf-hub: whoever reads it next will say what is broken. */
enum format guess_file(const char *path, int fd);

/* A file's bytes from its beginning, whatever its offset is; fd stays the caller's. */
struct file_stream {
	struct stream stream;
	int fd;
	int64_t offset;
	uint8_t block[65536];
};
struct stream *file_stream_init(struct file_stream *file, int fd);

#endif
