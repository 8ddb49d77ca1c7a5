/* SPDX-License-Identifier: Apache-2.0
 *
 * One growing file with one writer and any number of readers, each at its own pace: an upload's body or an
 * upstream transfer on its way to become a blob. Readers for clients see all but the last SPOOL_HELD_BACK
 * bytes until the spool is kept, so that none holds a complete module that was not verified; the inspector
 * sees all. Clients see no more than the inspector gets done in a second from where it is, so that the end
 * comes as soon as the rest did.
 *
 *     growing ─▶ complete ─▶ kept        (the file is a blob now)
 *        │           ├─────▶ passed      (readers had it all, and nothing is kept)
 *        └───────────┴─────▶ refused     (the file is unlinked, readers are cut off)
 *
 * Where there is no room for the whole, a spool can go on in pass-through: its file is unlinked and becomes a
 * window over the stream, whose bytes are given back once every reader has them. Nobody can join it from then
 * on. What its readers were told before (that the answer will be stored, say) stands. */
#ifndef SERVER_STORE_SPOOL_H
#define SERVER_STORE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "common/waiter.h"
#include "server/store/readers.h"

enum { SPOOL_HELD_BACK = 64 << 10, SPOOL_GIVE_BACK_STEP = 2 << 20 };

enum spool_state { SPOOL_GROWING, SPOOL_COMPLETE, SPOOL_KEPT, SPOOL_PASSED, SPOOL_REFUSED };

struct spool_progress {
	enum spool_state state;
	int64_t length;    /* bytes written so far */
	int64_t visible;   /* how many of them a client may have */
	int64_t expected;  /* how long it will be if all goes well; 0: that is not known */
	bool pass_through; /* it will not be kept */
	struct err err;    /* why it was refused, or why it passes through */
};

struct spool;

/* One without a file, for readers who come before there is a byte: it costs no descriptor. One reference. Its
 * writer opens it before he appends, as spool_create and spool_resume do. */
struct spool *spool_create_unopened(void);
bool spool_open_new(struct spool *spool, int drafts_fd, const char *name, struct err *err);
bool spool_open_draft(struct spool *spool, int drafts_fd, const char *name, int64_t length, struct err *err);

/* Creates an empty draft in the folder under this name (durable once it is kept). One reference. */
bool spool_create(int drafts_fd, const char *name, struct spool **out, struct err *err);

/* Takes up a draft that an earlier process left: its first length bytes are the content so far. Clients see
 * none of them before spool_reveal(). One reference. */
bool spool_resume(int drafts_fd, const char *name, int64_t length, struct spool **out, struct err *err);

struct spool *spool_acquire(struct spool *spool);
/* Gives one reference back; the last one unlinks the draft unless it was kept or spool_leave_draft() was
 * called. NULL is taken. */
void spool_release(struct spool *spool);
AUTO_CLEANER(own_spool, struct spool *, spool_release)
#define AUTO_SPOOL AUTO(own_spool)

/* The writer's side: append, then either complete or refuse. append fails with ERR_NO_SPACE and the like, and
 * with the refusal's error once somebody has refused the spool. */
bool spool_append(struct spool *spool, const void *bytes, size_t length, struct err *err);
void spool_complete(struct spool *spool);

/* How long it will be, as the writer was told (-1: he was not). Before he appends. */
void spool_expect(struct spool *spool, int64_t length);

/* Drops all that was written and grows from nothing again; false, with nothing changed, once a client may
 * have seen a byte or the spool has ended. No spool_stream may be reading it. */
bool spool_restart(struct spool *spool);

/* The same for what was written behind the first length bytes. */
bool spool_shorten(struct spool *spool, int64_t length);

/* What was taken up is of the object that is to follow: clients may see it. */
void spool_reveal(struct spool *spool);

/* Goes on in pass-through, for this reason. False, with nothing changed, where no client can have seen a byte
 * or the draft cannot be unlinked. */
bool spool_pass_through(struct spool *spool, const struct err *why);

/* Whether it goes on so; *why is set then. */
bool spool_is_pass_through(struct spool *spool, struct err *why);

/* Gives back what all readers have of a spool that passes through, in whole steps; tells how many bytes are
 * gone from its start. What the kernel still has to send of them stays as it is, since it takes no page in
 * part: none has more than a step. */
int64_t spool_give_back(struct spool *spool);

/* How far the readers are that are furthest behind. */
int64_t spool_slowest(struct spool *spool);

/* Lets go of the readers that are furthest behind, of those who borrow once they repay; false where there is
 * none that may be cut. */
bool spool_cut_slowest(struct spool *spool);

/* Ends it as kept, passed or refused: everyone is woken. The first of them to be called counts. */
void spool_mark_kept(struct spool *spool);
void spool_mark_passed(struct spool *spool);
void spool_refuse(struct spool *spool, const struct err *err);

/* Keeps the draft on disk when the last reference goes, for another process to resume. */
void spool_leave_draft(struct spool *spool);

/* Has the disk begin with the bytes from one offset to another, so that little is left for spool_sync(). May
 * take its time, and promises nothing. */
void spool_write_out(struct spool *spool, int64_t from, int64_t to);

/* Makes the bytes durable. */
bool spool_sync(struct spool *spool, struct err *err);

/* The draft's name in its folder, its descriptor (the spool's own; read-only use). */
const char *spool_name(const struct spool *spool);
int spool_fd(const struct spool *spool);

/* How far it is. With a waiter: joins it, in the same critical section, if nothing has changed since the
 * progress that *seen tells of (neither visible nor state); returns whether it joined. *seen is brought up to
 * date. */
bool spool_await(struct spool *spool, struct spool_progress *seen, struct waiter *waiter);

/* Clients that follow it: whoever does adds one to them, and takes it off in the end. */
void spool_add_readers(struct spool *spool, int change);
int spool_readers(const struct spool *spool);

/* Readers join at the first byte, tell how far they are, and part in the end. What was read is good only if
 * advance answers true thereafter: it is false for one that was cut, or joined when bytes were gone. */
void spool_join(struct spool *spool, struct spool_reader *reader);
bool spool_advance(struct spool *spool, struct spool_reader *reader, int64_t offset);
/* From here to spool_advance the bytes from the offset on stay, even if the reader is cut meanwhile. False:
 * it has been. */
bool spool_borrow(struct spool *spool, struct spool_reader *reader, int64_t offset);
void spool_part(struct spool *spool, struct spool_reader *reader);

/* For a writer whose bytes a client sends: whether the steady readers are so far behind that no more is to
 * come now; the waiter (or NULL) has joined then, and is woken when they have caught up, or the spool ends.
 * leave takes it back; false if it has not joined, or has been or is being woken. */
bool spool_await_readers(struct spool *spool, struct waiter *waiter);
bool spool_leave_readers(struct spool *spool, struct waiter *waiter);

/* Takes a waiter back; false if it has been or is just being woken. */
bool spool_leave(struct spool *spool, struct waiter *waiter);

/* Blocks until the spool is kept, passed or refused, and tells which. */
struct spool_progress spool_wait_end(struct spool *spool);

/* For a stream (spool_stream.h): blocks until there is more than the first offset bytes, or all that will
 * come; *length is how much there is. Fails with the refusal's error. */
bool spool_wait_bytes(struct spool *spool, int64_t offset, int64_t *length, struct err *err);
/* … and a steady reader has spent so much time on so many bytes. */
void spool_note_done(struct spool *spool, struct spool_reader *reader, int64_t bytes, int64_t spent_us);

#endif
