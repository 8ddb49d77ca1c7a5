/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include "common/container.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/number.h"

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

/* ---- room ---- */

bool scratch_check_room(
	int fd, const struct scratch_place *place, int64_t more_bytes, const char *what, struct err *err)
{
	struct statvfs disk;
	int64_t free_bytes;

	if (fstatvfs(fd, &disk) != 0)
		return err_errno(err, errno, "ask how much room there is in %.200s", place->folder);
	free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
	return free_bytes - more_bytes >= place->keep_free_bytes ||
	       err_set(err, ERR_NO_SPACE,
		       "there is no room to note down %s: %s are free in %.150s, and %s are to stay so "
		       "(storage.keep_free_bytes): make room there, or lower it",
		       what, number_size(free_bytes).text, place->folder,
		       number_size(place->keep_free_bytes).text);
}

/* All its bytes are claimed at once: a full disk is to be an error, and no signal. */
static bool claim(int fd, const struct scratch_place *place, size_t bytes, const char *what, struct err *err)
{
	int fault;

	if (bytes > SCRATCH_SMALL_BYTES && !scratch_check_room(fd, place, (int64_t)bytes, what, err))
		return false;
	fault = posix_fallocate(fd, 0, (off_t)bytes);
	return fault == 0 || err_errno(err, fault, "note down %s in %.200s", what, place->folder);
}

bool scratch_map(
	const struct scratch_place *place, size_t bytes, const char *what, void **out, struct err *err)
{
	AUTO_FD int fd = -1;
	void *table;

	if (!scratch_open(place->folder, &fd, err) || !claim(fd, place, bytes, what, err))
		return false;
	table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (table == MAP_FAILED)
		return err_errno(err, errno, "map a file in %.200s", place->folder);
	*out = table;
	return true;
}

void scratch_looked(void *table, size_t bytes, uint64_t hash)
{
	if (hash >> 56 == 0)
		(void)madvise(table, bytes, MADV_DONTNEED);
}

void scratch_unmap(void *table, size_t bytes)
{
	if (table)
		(void)munmap(table, bytes);
}

/* ---- reading ---- */

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
