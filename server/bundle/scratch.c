/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "common/container.h"
#include "common/file.h"
#include "common/mem.h"

enum { BLOCK_BYTES = 64 << 10 };

/* Not all file systems know files without a name. */
static int open_and_unlink(const char *folder)
{
	AUTO_FREE char *path = mem_printf("%s/.scratch.XXXXXX", folder);
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

bool scratch_open(const char *folder, int *out_fd, struct err *err)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		fd = open_and_unlink(folder);
	if (fd < 0)
		return err_errno(err, errno, "make a file in %.200s", folder);
	*out_fd = fd;
	return true;
}

static bool next(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct scratch_stream *scratch = CONTAINER_OF(stream, struct scratch_stream, stream);

	if (!file_read_at(scratch->fd, scratch->block, BLOCK_BYTES, scratch->offset, length, err))
		return false;
	scratch->offset += (int64_t)*length;
	*data = scratch->block;
	return true;
}

void scratch_stream_init(struct scratch_stream *stream, int fd)
{
	*stream = (struct scratch_stream){
		.stream = {.next = next}, .fd = fd, .block = mem_zero(1, BLOCK_BYTES)};
}

void scratch_stream_finish(struct scratch_stream *stream)
{
	free(stream->block);
	stream->block = NULL;
}
