/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/part_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"

enum { TAG_MAX = 128 };

bool part_file_hash(int fd, struct hasher *hasher, int64_t *out_length, struct err *err)
{
	char block[65536];
	int64_t offset = 0;
	size_t got;

	do {
		if (!file_read_at(fd, block, sizeof block, offset, &got, err))
			return false;
		hasher_add(hasher, block, got);
		offset += (int64_t)got;
	} while (got > 0);
	*out_length = offset;
	return true;
}

/* ---- open ---- */

static void read_tag(struct part_file *part)
{
	AUTO_BUFFER struct buffer text = {0};
	struct err err;

	part->has_tag = file_read_all(part->tag_path, TAG_MAX, &text, &err) &&
			digest_parse(buffer_string(&text), &part->tag);
}

/* Whoever had it may have given it its final name before the lock came free. */
static bool is_still_there(const struct part_file *part)
{
	struct stat here;
	struct stat there;

	return fstat(part->fd, &here) == 0 && lstat(part->path, &there) == 0 && S_ISREG(here.st_mode) &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static bool lock(const struct part_file *part, struct err *err)
{
	if (flock(part->fd, LOCK_EX | LOCK_NB) == 0 && is_still_there(part))
		return true;
	return err_set(err, ERR_CONFLICT, "%s is another pull's: let that end, or name another file with -o.",
		part->path);
}

bool part_file_open(struct part_file *part, const char *target, struct err *err)
{
	part->hasher = hasher_create();
	if (!target)
		return true;
	part->target = mem_dup(target);
	part->path = mem_printf("%s.part", target);
	part->tag_path = mem_printf("%s.part.tag", target);
	part->fd = open(part->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
	if (part->fd < 0)
		return err_errno(err, errno, "create %s", part->path);
	if (!lock(part, err)) {
		own_close(&part->fd);
		part->fd = -1;
		return false;
	}
	read_tag(part);
	return part_file_hash(part->fd, part->hasher, &part->length_bytes, err);
}

void part_file_finish(struct part_file *part)
{
	if (part->fd >= 0 && (part->length_bytes == 0 || !part->has_tag))
		part_file_remove(part);
	own_close(&part->fd);
	hasher_destroy(part->hasher);
	free(part->tag_path);
	free(part->path);
	free(part->target);
}

/* ---- fill ---- */

/* Behind the emptying: whatever is in the file when power fails is not taken for what the tag says. */
static bool write_tag(const struct part_file *part, struct err *err)
{
	AUTO_FD int fd = open(part->tag_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);

	if (fd < 0)
		return err_errno(err, errno, "create %s", part->tag_path);
	return file_write_at(fd, part->tag.hex, strlen(part->tag.hex), 0, err) ||
	       err_prefix(err, "%s: ", part->tag_path);
}

bool part_file_restart(struct part_file *part, const struct digest *tag, struct err *err)
{
	if (!part->target && part->length_bytes > 0)
		return err_set(err, ERR_CONFLICT,
			"What was written to standard output cannot be gone on with: pull again, or into a "
			"file with -o FILE.");
	hasher_destroy(part->hasher);
	part->hasher = hasher_create();
	part->length_bytes = 0;
	part->has_tag = tag;
	if (tag)
		part->tag = *tag;
	if (!part->target)
		return true;
	(void)unlink(part->tag_path);
	if (ftruncate(part->fd, 0) < 0)
		return err_errno(err, errno, "empty %s", part->path);
	return !tag || write_tag(part, err);
}

bool part_file_add(struct part_file *part, const void *bytes, size_t length, struct err *err)
{
	if (part->target && !file_write_at(part->fd, bytes, length, part->length_bytes, err))
		return err_prefix(err, "%s: ", part->path);
	if (!part->target && fwrite(bytes, 1, length, stdout) != length)
		return err_errno(err, errno, "write to standard output");
	hasher_add(part->hasher, bytes, length);
	part->length_bytes += (int64_t)length;
	return true;
}

struct digest part_file_digest(struct part_file *part)
{
	return hasher_result(part->hasher);
}

/* ---- end ---- */

bool part_file_rename(const char *from, const char *to, bool replace, struct err *err)
{
	AUTO_FREE char *copy = mem_dup(to);
	AUTO_FD int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int done;

	if (folder < 0)
		return err_errno(err, errno, "open the folder of %s", to);
	done = renameat2(AT_FDCWD, from, AT_FDCWD, to, replace ? 0 : RENAME_NOREPLACE);
	/* Some file systems cannot promise it. */
	if (done < 0 && errno == EINVAL && !replace && access(to, F_OK) < 0)
		done = rename(from, to);
	if (done < 0 && errno == EEXIST)
		return err_set(err, ERR_CONFLICT, "%s has come into being meanwhile: pull again.", to);
	return done < 0 ? err_errno(err, errno, "write %s", to) : file_sync_folder(folder, err);
}

bool part_file_commit(struct part_file *part, bool replace, struct err *err)
{
	if (!part->target)
		return fflush(stdout) == 0 || err_errno(err, errno, "write to standard output");
	if (fsync(part->fd) < 0)
		return err_errno(err, errno, "make %s durable", part->path);
	if (!part_file_rename(part->path, part->target, replace, err))
		return false;
	(void)unlink(part->tag_path);
	own_close(&part->fd);
	part->fd = -1;
	return true;
}

void part_file_remove(struct part_file *part)
{
	if (part->fd < 0)
		return;
	(void)unlink(part->path);
	(void)unlink(part->tag_path);
	own_close(&part->fd);
	part->fd = -1;
}
