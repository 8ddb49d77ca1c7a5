/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/blob_stream.h"

#include <sys/stat.h>

#include "common/container.h"
#include "common/file.h"

bool blob_stream_is_wanted(const struct blob_stream *blob_stream)
{
	struct stat status;

	return !atomic_load(blob_stream->stop) && fstat(blob_stream->fd, &status) == 0 && status.st_nlink > 0;
}

static bool next_piece(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct blob_stream *source = CONTAINER_OF(stream, struct blob_stream, stream);

	if (!blob_stream_is_wanted(source))
		return err_set(err, ERR_NOT_FOUND, "it is not wanted any more");
	if (!file_read_at(source->fd, source->block, sizeof source->block, source->offset, length, err))
		return false;
	source->offset += (int64_t)*length;
	*data = source->block;
	return true;
}

static bool read_again(
	struct stream *stream, int64_t offset, void *out, size_t length, size_t *out_read, struct err *err)
{
	struct blob_stream *source = CONTAINER_OF(stream, struct blob_stream, stream);

	return file_read_at(source->fd, out, length, offset, out_read, err);
}

struct stream *blob_stream_init(struct blob_stream *blob_stream, int fd, const atomic_bool *stop)
{
	blob_stream->stream = (struct stream){next_piece, read_again};
	blob_stream->fd = fd;
	blob_stream->offset = 0;
	blob_stream->stop = stop;
	return &blob_stream->stream;
}
