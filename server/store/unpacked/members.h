/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of archives, one by one, under data_dir/unpacked/<digest>. Derived from blobs: made when a file
 * is first asked for, there wholly or not at all, and free to be removed at any time, also by hand. Which
 * archives may be unpacked, and whether a blob is still to be served, is for others to say. */
#ifndef SERVER_STORE_UNPACKED_MEMBERS_H
#define SERVER_STORE_UNPACKED_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "common/waiter.h"
#include "server/module/archives/archive_limits.h"
#include "server/store/filesums.h"

struct members;

/* Opens data_dir/unpacked, and learns what lies there. What is unpacked keeps the limits, and leaves so many
 * bytes of the disk. close takes NULL. */
bool members_open(const char *data_dir, const struct archive_limits *limits, int64_t keep_free_bytes,
	struct members **out, struct err *err);
void members_close(struct members *members);
AUTO_CLEANER(own_members, struct members *, members_close)
#define AUTO_MEMBERS AUTO(own_members)

/* Who grants room on the disk to an unpacking. extend is told what is there and what is to be, in all; it may
 * evict other archives meanwhile. */
struct members_room {
	void *(*begin)(void *context);
	bool (*extend)(void *claim, int64_t written_bytes, int64_t bytes, struct err *err);
	void (*end)(void *claim);
	void *context;
};

/* Before anything is read. Without it, keep_free_bytes alone is held to. */
void members_set_room(struct members *members, const struct members_room *room);

/* Who is told the digests of an archive's files, sorted, each time that it was unpacked. */
struct members_witness {
	void (*tell)(void *context, const struct digest *archive, const struct filesums *sums);
	void *context;
};
void members_set_witness(struct members *members, const struct members_witness *witness);

/* One archive on its way to the disk, by another thread. */
struct unpacking;

struct member_file {
	int fd; /* -1 with an unpacking */
	int64_t size_bytes;
	struct checksums checksums;  /* of these bytes alone */
	struct unpacking *unpacking; /* to be awaited; NULL with a file. With neither: it is not unpacked */
};

/* Opens a file of the archive with this digest, under its exact path in normal form (membername_normalise).
 * The first to ask unpacks it from archive_fd, or is told that this would have to be done where that is -1;
 * who asks meanwhile is given the unpacking. The caller owns *out. ERR_NOT_FOUND: the archive has no such
 * file. ERR_NO_SPACE, and what the room's owner answers. */
bool members_read(struct members *members, const struct digest *digest, int archive_fd, const char *path,
	struct member_file *out, struct err *err);
/* What it says of a file that the archive does not have; false, with ERR_NOT_FOUND. */
bool members_refuse(const char *path, struct err *err);

/* Closes and lets go of what it holds. */
void member_file_finish(struct member_file *file);
#define AUTO_MEMBER_FILE AUTO(member_file_finish)

/* Joins the waiter unless the unpacking is over; returns whether it joined. leave takes it back; false if it
 * has been or is being woken. */
bool unpacking_await(struct unpacking *unpacking, struct waiter *waiter);
bool unpacking_leave(struct unpacking *unpacking, struct waiter *waiter);
/* How an unpacking that is over ended: false with what it failed with. */
bool unpacking_result(struct unpacking *unpacking, struct err *err);
/* Takes NULL. */
void unpacking_release(struct unpacking *unpacking);
AUTO_CLEANER(own_unpacking, struct unpacking *, unpacking_release)

/* Removes what is unpacked of one archive, also what is just being made; nothing to do is no error. */
bool members_remove(struct members *members, const struct digest *digest, struct err *err);

/* At start-up, while no other process unpacks: puts aside what is half unpacked, damaged or of an earlier
 * release, however much it is. sweep removes that while files are served, until stop is set. */
bool members_put_aside(struct members *members, struct err *err);
bool members_sweep(struct members *members, const _Atomic bool *stop, struct err *err);

/* The bytes of all that is unpacked. */
int64_t members_bytes(struct members *members);

/* Removes archives, least recently used first, until so many bytes are gone or nothing is left that may go;
 * returns how many went. */
int64_t members_evict(struct members *members, int64_t wanted_bytes);

/* Calls visit for every archive that is unpacked until it answers false. It may remove any. */
bool members_each(struct members *members,
	bool (*visit)(void *context, const struct digest *digest, int64_t bytes), void *context);

#endif
