/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/unpacked/members.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/list.h"
#include "common/lock.h"
#include "common/mem.h"
#include "server/ranks.h"
#include "server/store/unpacked/folders.h"
#include "server/store/unpacked/unpack.h"
#include "server/store/unpacked/unpacked_folder.h"

static const struct lock_place lock_place = {"members", RANK_MEMBERS};

enum { SETTLED_S = 1 };

struct members {
	struct lock mutex; /* guards running, folders, and of each unpacking all but digest and members */
	int data_fd;       /* data_dir: "unpacked" itself may go and come back */
	struct archive_limits limits;
	int64_t keep_free_bytes;
	struct members_room room;
	struct members_witness witness;
	struct list running; /* of unpackings */
	struct folders folders;
};

struct unpacking {
	struct members *members;
	struct digest digest;
	struct list_link link; /* in members->running */
	struct waiter *waiters;
	unsigned references;
	bool unwanted; /* removed while it was made */
	bool over;
	bool failed;
	struct err err;
};

/* ---- opening and sweeping ---- */

static bool learn(void *context, int root_fd, const char *name, struct err *err)
{
	struct members *members = context;
	struct unpack_record record;
	struct digest digest;
	int64_t made_at;

	(void)err;
	if (digest_parse(name, &digest) && unpacked_folder_read(root_fd, name, &record, &made_at))
		folders_put(&members->folders, &digest, record.bytes, made_at);
	return true;
}

static bool put_aside(void *context, int root_fd, const char *name, struct err *err)
{
	struct unpack_record record;
	struct digest digest;
	int64_t made_at;
	bool damaged = digest_parse(name, &digest) && !unpacked_folder_read(root_fd, name, &record, &made_at);

	(void)context;
	return !(damaged || unpacked_folder_is_draft(name)) || unpacked_folder_put_aside(root_fd, name, err);
}

bool members_put_aside(struct members *members, struct err *err)
{
	return unpacked_folder_each(members->data_fd, put_aside, members, err);
}

static bool sweep(void *context, int root_fd, const char *name, struct err *err)
{
	const _Atomic bool *stop = context;

	return atomic_load(stop) || !unpacked_folder_is_aside(name) ||
	       unpacked_folder_remove(root_fd, name, err);
}

bool members_sweep(struct members *members, const _Atomic bool *stop, struct err *err)
{
	return unpacked_folder_each(members->data_fd, sweep, (void *)stop, err);
}

bool members_open(const char *data_dir, const struct archive_limits *limits, int64_t keep_free_bytes,
	struct members **out, struct err *err)
{
	AUTO_MEMBERS struct members *members = mem_zero(1, sizeof *members);

	lock_init(&members->mutex, &lock_place);
	list_init(&members->running);
	members->limits = *limits;
	members->keep_free_bytes = keep_free_bytes;
	members->data_fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (members->data_fd < 0)
		return err_errno(err, errno, "open folder %s", data_dir);
	if (!unpacked_folder_make_root(members->data_fd, err) ||
		!unpacked_folder_each(members->data_fd, learn, members, err))
		return false;
	*out = TAKE(members);
	return true;
}

void members_close(struct members *members)
{
	if (!members)
		return;
	own_close(&members->data_fd);
	folders_finish(&members->folders);
	lock_finish(&members->mutex);
	free(members);
}

void members_set_room(struct members *members, const struct members_room *room)
{
	members->room = *room;
}

void members_set_witness(struct members *members, const struct members_witness *witness)
{
	members->witness = *witness;
}

/* ---- removing ---- */

static struct unpacking *find_running(struct members *members, const struct digest *digest)
{
	lock_expect(&members->mutex);
	LIST_EACH (struct unpacking, unpacking, link, &members->running) {
		if (digest_equal(&unpacking->digest, digest))
			return unpacking;
	}
	return NULL;
}

bool members_remove(struct members *members, const struct digest *digest, struct err *err)
{
	{
		LOCKED(&members->mutex);
		struct unpacking *unpacking = find_running(members, digest);

		if (unpacking)
			unpacking->unwanted = true;
		(void)folders_drop(&members->folders, digest);
	}
	return unpacked_folder_remove(members->data_fd, unpacked_folder_path(digest).text, err);
}

int64_t members_bytes(struct members *members)
{
	LOCKED(&members->mutex);

	return members->folders.bytes;
}

/* Who unpacks is about to read. */
static bool is_idle(void *context, const struct digest *digest)
{
	return !find_running(context, digest);
}

static bool take_oldest(struct members *members, struct folder *out)
{
	LOCKED(&members->mutex);
	const struct folder *oldest = folders_find_oldest(&members->folders, is_idle, members);

	if (!oldest)
		return false;
	*out = *oldest;
	return folders_drop(&members->folders, &out->digest);
}

int64_t members_evict(struct members *members, int64_t wanted_bytes)
{
	struct folder folder;
	int64_t gone = 0;
	struct err ignored;

	while (gone < wanted_bytes && take_oldest(members, &folder)) {
		if (!unpacked_folder_remove(
			    members->data_fd, unpacked_folder_path(&folder.digest).text, &ignored)) {
			LOCKED(&members->mutex);
			folders_put(&members->folders, &folder.digest, folder.bytes, folder.used);
			break;
		}
		gone += folder.bytes;
	}
	return gone;
}

static struct folder *copy_folders(struct members *members, size_t *count)
{
	LOCKED(&members->mutex);
	struct folder *copy = mem_zero(members->folders.count + 1, sizeof *copy);

	*count = members->folders.count;
	for (size_t i = 0; i < *count; i++)
		copy[i] = members->folders.rows[i];
	return copy;
}

bool members_each(struct members *members,
	bool (*visit)(void *context, const struct digest *digest, int64_t bytes), void *context)
{
	size_t count;
	AUTO_FREE struct folder *folders = copy_folders(members, &count);

	for (size_t i = 0; i < count; i++) {
		if (!visit(context, &folders[i].digest, folders[i].bytes))
			return false;
	}
	return true;
}

/* ---- what is there ---- */

enum lookup { LOOKUP_FOUND, LOOKUP_NO_SUCH_MEMBER, LOOKUP_NOT_UNPACKED, LOOKUP_FAILED };

static bool is_known_as_whole(struct members *members, const struct digest *digest, int64_t changed_at)
{
	LOCKED(&members->mutex);

	return folders_are_whole(&members->folders, digest, changed_at);
}

static void note_whole(struct members *members, const struct digest *digest, int64_t changed_at)
{
	LOCKED(&members->mutex);

	folders_note_whole(&members->folders, digest, changed_at);
}

/* Anybody may ask for files that never were: all are counted once for each change of the folder. A change
 * that was just now may be followed by another of the same time. */
static bool is_damaged(struct members *members, const struct digest *digest, int folder_fd)
{
	struct stat status;
	int64_t changed_at;

	if (fstat(folder_fd, &status) < 0)
		return true;
	changed_at = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
	if (is_known_as_whole(members, digest, changed_at))
		return false;
	if (unpacked_folder_lacks_files(folder_fd))
		return true;
	if (clock_now_s() - status.st_mtim.tv_sec > SETTLED_S)
		note_whole(members, digest, changed_at);
	return false;
}

static enum lookup look_up(struct members *members, const struct digest *digest, const char *path,
	struct member_file *out, struct err *err)
{
	struct unpacked_path folder_path = unpacked_folder_path(digest);
	AUTO_FD int folder =
		openat(members->data_fd, folder_path.text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_FD int fd = -1;
	struct member_file file = {.fd = -1};

	if (folder < 0 && errno == ENOENT)
		return LOOKUP_NOT_UNPACKED;
	if (folder >= 0)
		fd = openat(folder, unpack_name(path).text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (folder >= 0 && fd < 0 && errno == ENOENT)
		return is_damaged(members, digest, folder) ? LOOKUP_NOT_UNPACKED : LOOKUP_NO_SUCH_MEMBER;
	if (fd < 0) {
		(void)err_errno(err, errno, "open %s", folder_path.text);
		return LOOKUP_FAILED;
	}
	if (!unpack_read_sums(fd, &file.size_bytes, &file.checksums))
		return LOOKUP_NOT_UNPACKED;
	file.fd = TAKE_FD(fd);
	*out = file;
	return LOOKUP_FOUND;
}

bool members_refuse(const char *path, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "the archive has no file \"%.160s\"", path);
}

/* ---- unpacking ---- */

static bool make(struct members *members, const struct digest *digest, int archive_fd,
	const struct unpack_room *room, struct unpack_record *out, struct err *err)
{
	const struct unpacked_source source = {archive_fd, &members->limits, room};
	AUTO(filesums_finish) struct filesums sums = {0};

	if (!unpacked_folder_make(members->data_fd, digest, &source, out, &sums, err))
		return false;
	filesums_sort(&sums);
	if (members->witness.tell)
		members->witness.tell(members->witness.context, digest, &sums);
	return true;
}

/* Into the record, unless it was removed meanwhile. */
static bool note(struct unpacking *unpacking, const struct unpack_record *record, struct err *err)
{
	struct members *members = unpacking->members;

	{
		LOCKED(&members->mutex);
		if (!unpacking->unwanted) {
			folders_put(&members->folders, &unpacking->digest, record->bytes,
				members->folders.now + 1);
			return true;
		}
	}
	return unpacked_folder_remove(members->data_fd, unpacked_folder_path(&unpacking->digest).text, err);
}

/* Where nobody grants room, what is unpacked of other archives makes some. */
static bool unpack_freely(
	struct unpacking *unpacking, int archive_fd, const struct unpack_room *room, struct err *err)
{
	struct members *members = unpacking->members;
	struct unpack_record record;
	bool done = make(members, &unpacking->digest, archive_fd, room, &record, err) ||
		    (err->code == ERR_NO_SPACE && members_evict(members, INT64_MAX) > 0 &&
			    make(members, &unpacking->digest, archive_fd, room, &record, err));

	return done && note(unpacking, &record, err);
}

/* The claim ends after the bytes are in the record: for a moment they count twice, never not at all. */
static bool unpack(struct unpacking *unpacking, int archive_fd, struct err *err)
{
	struct members *members = unpacking->members;
	const struct members_room *granting = &members->room;
	struct unpack_room room = {.keep_free_bytes = members->keep_free_bytes, .extend = granting->extend};
	struct unpack_record record;
	bool done;

	if (!granting->begin)
		return unpack_freely(unpacking, archive_fd, &room, err);
	room.context = granting->begin(granting->context);
	done = make(members, &unpacking->digest, archive_fd, &room, &record, err) &&
	       note(unpacking, &record, err);
	granting->end(room.context);
	return done;
}

/* The unpacking of this archive; *joined where another thread is at it. The caller owns a reference. */
static struct unpacking *join_or_begin(struct members *members, const struct digest *digest, bool *joined)
{
	LOCKED(&members->mutex);
	struct unpacking *unpacking = find_running(members, digest);

	*joined = unpacking;
	if (!unpacking) {
		unpacking = mem_zero(1, sizeof *unpacking);
		unpacking->members = members;
		unpacking->digest = *digest;
		list_append(&members->running, &unpacking->link);
	}
	unpacking->references++;
	return unpacking;
}

static void end(struct unpacking *unpacking, const struct err *why)
{
	struct members *members = unpacking->members;
	struct waiter *waiters;

	{
		LOCKED(&members->mutex);
		assert(list_holds(&unpacking->link));
		list_remove(&unpacking->link);
		unpacking->over = true;
		unpacking->failed = why;
		if (why)
			unpacking->err = *why;
		waiters = TAKE(unpacking->waiters);
	}
	waiter_wake_all(waiters);
}

/* As the one who unpacks. Another may have ended between the first look and the beginning. */
static enum lookup look_up_unpacking(struct unpacking *unpacking, int archive_fd, const char *path,
	struct member_file *out, struct err *err)
{
	struct members *members = unpacking->members;
	enum lookup lookup = look_up(members, &unpacking->digest, path, out, err);

	if (lookup == LOOKUP_NOT_UNPACKED) {
		lookup = LOOKUP_FAILED;
		if (unpack(unpacking, archive_fd, err))
			lookup = look_up(members, &unpacking->digest, path, out, err);
	}
	end(unpacking, lookup == LOOKUP_FAILED ? err : NULL);
	return lookup;
}

static void touch(struct members *members, const struct digest *digest)
{
	LOCKED(&members->mutex);

	folders_touch(&members->folders, digest);
}

static struct unpacking *join_if_running(struct members *members, const struct digest *digest)
{
	LOCKED(&members->mutex);
	struct unpacking *unpacking = find_running(members, digest);

	if (unpacking)
		unpacking->references++;
	return unpacking;
}

bool members_read(struct members *members, const struct digest *digest, int archive_fd, const char *path,
	struct member_file *out, struct err *err)
{
	enum lookup lookup = look_up(members, digest, path, out, err);

	if (lookup == LOOKUP_NOT_UNPACKED && archive_fd < 0) {
		*out = (struct member_file){.fd = -1, .unpacking = join_if_running(members, digest)};
		return true;
	}
	if (lookup == LOOKUP_NOT_UNPACKED) {
		bool joined;
		AUTO(own_unpacking) struct unpacking *unpacking = join_or_begin(members, digest, &joined);

		if (joined) {
			*out = (struct member_file){.fd = -1, .unpacking = TAKE(unpacking)};
			return true;
		}
		lookup = look_up_unpacking(unpacking, archive_fd, path, out, err);
	}
	if (lookup == LOOKUP_FOUND || lookup == LOOKUP_NO_SUCH_MEMBER)
		touch(members, digest);
	if (lookup == LOOKUP_NO_SUCH_MEMBER)
		return members_refuse(path, err);
	if (lookup == LOOKUP_NOT_UNPACKED)
		return err_set(err, ERR_BUSY, "the unpacked archive was removed at once; try again");
	return lookup == LOOKUP_FOUND;
}

void member_file_finish(struct member_file *file)
{
	own_close(&file->fd);
	unpacking_release(file->unpacking);
	*file = (struct member_file){.fd = -1};
}

bool unpacking_await(struct unpacking *unpacking, struct waiter *waiter)
{
	LOCKED(&unpacking->members->mutex);

	if (unpacking->over)
		return false;
	waiter_join(&unpacking->waiters, waiter);
	return true;
}

bool unpacking_leave(struct unpacking *unpacking, struct waiter *waiter)
{
	LOCKED(&unpacking->members->mutex);

	return waiter_leave(&unpacking->waiters, waiter);
}

bool unpacking_result(struct unpacking *unpacking, struct err *err)
{
	LOCKED(&unpacking->members->mutex);

	if (unpacking->failed)
		*err = unpacking->err;
	return !unpacking->failed;
}

void unpacking_release(struct unpacking *unpacking)
{
	bool last;

	if (!unpacking)
		return;
	{
		LOCKED(&unpacking->members->mutex);
		last = --unpacking->references == 0;
	}
	if (last)
		free(unpacking);
}
