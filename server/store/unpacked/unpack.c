/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/unpacked/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "common/sums.h"
#include "common/thread.h"
#include "server/module/archives/guess.h"
#include "server/module/archives/membername.h"

enum { BLOCK_BYTES = 4096 };

static const char record_name[] = "record";

/* What stands behind the content of a file. */
struct trailer {
	uint8_t sha256[32];
	uint8_t md5[16];
};

struct unpack_name unpack_name(const char *path)
{
	struct digest digest = digest_of(path, strlen(path));
	struct unpack_name name;

	/* Earlier releases wrote files without sums, under the bare digest. */
	(void)snprintf(name.text, sizeof name.text, "%s.sums", digest.hex);
	return name;
}

static bool check_room(int folder_fd, int64_t needed, int64_t keep_free, struct err *err)
{
	struct statvfs status;
	int64_t room;

	if (fstatvfs(folder_fd, &status) < 0)
		return err_errno(err, errno, "ask for the free space");
	room = (int64_t)status.f_bavail * (int64_t)status.f_frsize - keep_free;
	return needed <= room ||
	       err_set(err, ERR_NO_SPACE, "there is no room for %s more beside the %s that stay free",
		       number_size(needed).text, number_size(keep_free).text);
}

static bool create_file(int folder_fd, const char *name, int *out_fd, struct err *err)
{
	*out_fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0440);
	return *out_fd >= 0 || err_errno(err, errno, "create file %s", name);
}

static bool sync_file(int fd, const char *name, struct err *err)
{
	may_block("fsync");
	return fsync(fd) == 0 || err_errno(err, errno, "make file %s durable", name);
}

static struct trailer trailer_of(struct sums *sums)
{
	uint8_t values[SUM_COUNT][SUM_BYTES_MAX];
	struct trailer trailer;

	sums_result(sums, values);
	memcpy(trailer.sha256, values[SUM_SHA256], sizeof trailer.sha256);
	memcpy(trailer.md5, values[SUM_MD5], sizeof trailer.md5);
	return trailer;
}

static bool write_content(struct stream *content, int fd, struct trailer *trailer, struct err *err)
{
	AUTO_SUMS struct sums *sums = sums_create(1u << SUM_SHA256 | 1u << SUM_MD5);
	const uint8_t *data;
	size_t length;
	int64_t offset = 0;

	do {
		if (!stream_next(content, &data, &length, err) ||
			!file_write_at(fd, data, length, offset, err))
			return false;
		sums_add(sums, data, length);
		offset += (int64_t)length;
	} while (length > 0);
	*trailer = trailer_of(sums);
	return file_write_at(fd, (const uint8_t *)trailer, sizeof *trailer, offset, err);
}

/* A file that comes again takes the place of the one before, as for hub clients; *is_new is false then. */
static bool write_member(struct archive *archive, const struct member *member, int folder_fd, bool *is_new,
	struct filesums *sums, struct err *err)
{
	char path[ARCHIVE_NAME_MAX + 1];
	struct unpack_name name;
	struct trailer trailer;
	AUTO_FD int fd = -1;

	membername_normalise(member->name, path);
	name = unpack_name(path);
	*is_new = unlinkat(folder_fd, name.text, 0) < 0;
	if (!create_file(folder_fd, name.text, &fd, err) ||
		!write_content(archive_content(archive), fd, &trailer, err) || !sync_file(fd, name.text, err))
		return false;
	filesums_add(sums, path, trailer.sha256);
	return true;
}

static bool write_record(int folder_fd, const struct unpack_record *record, struct err *err)
{
	AUTO_FD int fd = -1;
	char text[48];
	int length = snprintf(text, sizeof text, "%" PRId64 " %" PRId64, record->files, record->bytes);

	return create_file(folder_fd, record_name, &fd, err) &&
	       file_write_at(fd, text, (size_t)length, 0, err) && sync_file(fd, record_name, err);
}

/* Many small files take more of a disk than the sum of their lengths. */
static int64_t bytes_on_disk(int64_t size_bytes)
{
	const int64_t more = sizeof(struct trailer) + BLOCK_BYTES - 1;

	return size_bytes > INT64_MAX - more ? INT64_MAX : (size_bytes + more) / BLOCK_BYTES * BLOCK_BYTES;
}

static bool admit(const struct unpack_record *record, const struct member *member, int folder_fd,
	const struct archive_limits *limits, const struct unpack_room *room, struct err *err)
{
	int64_t after;

	if (limits->max_members > 0 && record->files >= limits->max_members)
		return err_set(err, ERR_INTERNAL, "it has more than %" PRId64 " files", limits->max_members);
	if (__builtin_add_overflow(record->bytes, bytes_on_disk(member->size_bytes), &after))
		after = INT64_MAX;
	return (!room->extend || room->extend(room->context, record->bytes, after, err)) &&
	       check_room(folder_fd, member->size_bytes, room->keep_free_bytes, err);
}

static bool write_members(struct archive *archive, int folder_fd, const struct archive_limits *limits,
	const struct unpack_room *room, struct unpack_record *record, struct filesums *sums, struct err *err)
{
	AUTO_FREE struct member *member = mem_zero(1, sizeof *member);
	bool is_new;
	bool found;

	for (;;) {
		if (!archive_next(archive, member, &found, err))
			return false;
		if (!found)
			return write_record(folder_fd, record, err) && file_sync_folder(folder_fd, err);
		if (member->kind != MEMBER_FILE)
			continue;
		if (!admit(record, member, folder_fd, limits, room, err) ||
			!write_member(archive, member, folder_fd, &is_new, sums, err))
			return false;
		if (!is_new)
			continue;
		record->files++;
		record->bytes += bytes_on_disk(member->size_bytes);
	}
}

/* As gzip's last four bytes tell it, modulo 4 GiB and of its last part: a guess, which the files correct. */
static int64_t expected_bytes(int archive_fd)
{
	struct stat status;
	uint8_t last[4];
	size_t length;
	struct err err;

	if (fstat(archive_fd, &status) < 0 || status.st_size < (off_t)sizeof last ||
		!file_read_at(
			archive_fd, last, sizeof last, status.st_size - (off_t)sizeof last, &length, &err) ||
		length < sizeof last)
		return 0;
	return last[0] | last[1] << 8 | last[2] << 16 | (int64_t)last[3] << 24;
}

/* All at once where that can be told: what can never fit shall not make others go bit by bit. */
static bool admit_whole(int archive_fd, const struct unpack_room *room, struct err *err)
{
	return !room->extend || room->extend(room->context, 0, expected_bytes(archive_fd), err);
}

bool unpack_archive(int archive_fd, int folder_fd, const struct archive_limits *limits,
	const struct unpack_room *room, struct unpack_record *out, struct filesums *sums, struct err *err)
{
	AUTO_FREE struct file_stream *file = mem_zero(1, sizeof *file);
	AUTO_ARCHIVE
	struct archive *archive = archive_create(file_stream_init(file, archive_fd), limits);
	/* The folder, and the record in it. */
	struct unpack_record record = {.bytes = 2 * BLOCK_BYTES};

	if (admit_whole(archive_fd, room, err) &&
		write_members(archive, folder_fd, limits, room, &record, sums, err)) {
		*out = record;
		return true;
	}
	/* It was whole when it was kept: neither the client's nor the publisher's fault. */
	if (err->code != ERR_NO_SPACE && err->code != ERR_BUSY)
		err->code = ERR_INTERNAL;
	return false;
}

bool unpack_read_record(int folder_fd, struct unpack_record *out)
{
	AUTO_FD int fd = openat(folder_fd, record_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct unpack_record record;
	char text[48] = "";
	struct err err;
	size_t length;
	char *blank;

	if (fd < 0 || !file_read_at(fd, text, sizeof text - 1, 0, &length, &err))
		return false;
	blank = strchr(text, ' ');
	if (!blank)
		return false;
	*blank = '\0';
	if (!number_parse(text, &record.files) || !number_parse(blank + 1, &record.bytes))
		return false;
	*out = record;
	return true;
}

bool unpack_read_sums(int fd, int64_t *out_size, struct checksums *out)
{
	struct trailer trailer;
	struct stat status;
	size_t length;
	struct err err;

	if (fstat(fd, &status) < 0 || status.st_size < (off_t)sizeof trailer ||
		!file_read_at(fd, &trailer, sizeof trailer, status.st_size - (off_t)sizeof trailer, &length,
			&err) ||
		length < sizeof trailer)
		return false;
	*out_size = status.st_size - (off_t)sizeof trailer;
	*out = (struct checksums){.sha256 = digest_from_bytes(trailer.sha256), .has_md5 = true};
	memcpy(out->md5, trailer.md5, sizeof out->md5);
	return true;
}
