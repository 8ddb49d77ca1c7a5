/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/folder_proof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"

enum { TRIAL_BYTES = 64 << 10 };

/* The scratch folder, and a file "a" of TRIAL_BYTES in it. */
struct trial {
	int folder;
	int file;
};

/* Each answers 0, or the errno that it failed with. */

static int try_fsync(const struct trial *trial)
{
	return fsync(trial->file) < 0 || fsync(trial->folder) < 0 ? errno : 0;
}

/* Over a file that is there and open. */
static int try_rename(const struct trial *trial)
{
	AUTO_FD int over = openat(trial->folder, "b", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	struct stat before, after;

	if (over < 0 || renameat(trial->folder, "a", trial->folder, "b") < 0 ||
		fstat(trial->file, &before) < 0 || fstatat(trial->folder, "b", &after, 0) < 0)
		return errno;
	return before.st_ino == after.st_ino ? 0 : EIO;
}

static int try_lock(const struct trial *trial)
{
	AUTO_FD int other = openat(trial->folder, "lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	AUTO_FD int another = openat(trial->folder, "lock", O_RDWR | O_CLOEXEC);

	if (other < 0 || another < 0 || flock(other, LOCK_EX | LOCK_NB) < 0)
		return errno;
	if (flock(another, LOCK_EX | LOCK_NB) == 0)
		return ENOLCK;
	return errno == EWOULDBLOCK ? 0 : errno;
}

static int try_sendfile(const struct trial *trial)
{
	int pair[2];
	off_t offset = 0;
	int fault;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return errno;
	fault = sendfile(pair[0], trial->file, &offset, 1024) == 1024 ? 0 : errno ? errno : EIO;
	(void)close(pair[0]);
	(void)close(pair[1]);
	return fault;
}

static int try_link(const struct trial *trial)
{
	return linkat(trial->folder, "b", trial->folder, "c", 0) < 0 ? errno : 0;
}

static int try_hole(const struct trial *trial)
{
	return fallocate(trial->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, TRIAL_BYTES / 2) < 0
		       ? errno
		       : 0;
}

static const struct {
	const char *what;
	int (*attempt)(const struct trial *trial);
	bool spares; /* the store works without it */
} attempts[] = {
	{"fsync of a file and its folder", try_fsync, false},
	{"rename over a file", try_rename, false},
	{"flock between two descriptors", try_lock, false},
	{"sendfile", try_sendfile, false},
	{"hard links", try_link, true},
	{"holes in files", try_hole, true},
};

static bool run_attempts(const struct trial *trial, struct folder_lacks *lacks, struct err *err)
{
	lacks->text[0] = '\0';
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		int fault = attempts[i].attempt(trial);
		size_t used = strlen(lacks->text);

		if (fault && !attempts[i].spares)
			return err_set(
				err, ERR_INTERNAL, "%s does not work: %s", attempts[i].what, strerror(fault));
		if (fault)
			(void)snprintf(lacks->text + used, sizeof lacks->text - used, "%s%s",
				used > 0 ? ", " : "", attempts[i].what);
	}
	return true;
}

static bool prove(const char *scratch, struct folder_lacks *lacks, struct err *err)
{
	AUTO_FD int folder = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD int file = folder < 0 ? -1 : openat(folder, "a", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	const struct trial trial = {folder, file};
	static const char *const names[] = {"a", "b", "c", "lock"};
	int fault = file < 0 ? errno : posix_fallocate(file, 0, TRIAL_BYTES);
	bool works = fault == 0 ? run_attempts(&trial, lacks, err)
				: err_errno(err, fault, "write in %.150s", scratch);

	for (size_t i = 0; folder >= 0 && i < sizeof names / sizeof *names; i++)
		(void)unlinkat(folder, names[i], 0);
	return works;
}

bool folder_proof_run(const char *folder, struct folder_lacks *out_lacks, struct err *err)
{
	AUTO_FREE char *scratch = mem_printf("%s/doctor-XXXXXX", folder);
	bool works;

	if (!mkdtemp(scratch))
		return err_errno(err, errno, "make a folder in %.150s", folder);
	works = prove(scratch, out_lacks, err);
	if (rmdir(scratch) < 0 && works)
		return err_errno(err, errno, "remove %.150s", scratch);
	return works;
}
