/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/spool.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/invariant.h"
#include "common/lock.h"
#include "common/mem.h"
#include "server/ranks.h"
#include "server/store/spool_draft.h"

static const struct lock_place lock_place = {"spool", RANK_SPOOL};

/* Readers are woken once for so many bytes or so much time, since each wake costs every sleeping connection a
 * look; sooner while the first of them wait for their first bytes. */
enum { WAKE_BYTES = 256 << 10, WAKE_US = 8000 };
enum { BEGINNING_BYTES = 1 << 20, BEGINNING_WAKE_US = 2000 };

struct spool {
	struct lock mutex; /* guards everything below up to the blank line */
	pthread_cond_t changed;
	struct spool_progress progress;
	struct waiter *waiters;
	struct waiter *ahead; /* wait for the steady readers */
	struct readers members;
	int64_t gone;   /* bytes given back, from the first on */
	bool shown;     /* a client may have seen a byte */
	bool concealed; /* none may yet */
	bool leave_draft;
	bool drained; /* a stream has read all, and is to be woken by the next byte */
	int64_t woken_at_length;
	int64_t woken_at_visible;
	int64_t woken_at_us;

	atomic_uint references;
	atomic_int readers;
	struct spool_draft draft;
};

/* What was seen stays, also where the inspector has become slower. */
static int64_t visible_of(const struct spool *spool)
{
	const struct spool_progress *progress = &spool->progress;
	int64_t all = progress->length > SPOOL_HELD_BACK ? progress->length - SPOOL_HELD_BACK : 0;
	int64_t furthest = readers_furthest(&spool->members, 4);

	if (progress->state == SPOOL_KEPT || progress->state == SPOOL_PASSED)
		return progress->length;
	if (spool->concealed)
		return 0;
	if (furthest < progress->visible)
		furthest = progress->visible;
	return all < furthest ? all : furthest;
}

struct spool *spool_create_unopened(void)
{
	struct spool *spool = mem_zero(1, sizeof *spool);

	lock_init(&spool->mutex, &lock_place);
	(void)pthread_cond_init(&spool->changed, NULL);
	readers_init(&spool->members);
	atomic_init(&spool->references, 1);
	spool_draft_init(&spool->draft);
	return spool;
}

bool spool_open_new(struct spool *spool, int drafts_fd, const char *name, struct err *err)
{
	return spool_draft_create(&spool->draft, drafts_fd, name, err);
}

static void begin_with(struct spool *spool, int64_t length)
{
	LOCKED(&spool->mutex);

	spool->progress.length = length;
	spool->concealed = length > 0;
	spool->progress.visible = visible_of(spool);
}

bool spool_open_draft(struct spool *spool, int drafts_fd, const char *name, int64_t length, struct err *err)
{
	if (!spool_draft_resume(&spool->draft, drafts_fd, name, length, err))
		return false;
	begin_with(spool, length);
	return true;
}

bool spool_create(int drafts_fd, const char *name, struct spool **out, struct err *err)
{
	AUTO_SPOOL struct spool *spool = spool_create_unopened();

	if (!spool_open_new(spool, drafts_fd, name, err))
		return false;
	*out = TAKE(spool);
	return true;
}

bool spool_resume(int drafts_fd, const char *name, int64_t length, struct spool **out, struct err *err)
{
	AUTO_SPOOL struct spool *spool = spool_create_unopened();

	if (!spool_open_draft(spool, drafts_fd, name, length, err))
		return false;
	*out = TAKE(spool);
	return true;
}

struct spool *spool_acquire(struct spool *spool)
{
	atomic_fetch_add_explicit(&spool->references, 1, memory_order_relaxed);
	return spool;
}

void spool_release(struct spool *spool)
{
	if (!spool || atomic_fetch_sub_explicit(&spool->references, 1, memory_order_acq_rel) > 1)
		return;
	if (spool->draft.name && spool->progress.state != SPOOL_KEPT && !spool->progress.pass_through &&
		!spool->leave_draft)
		(void)spool_draft_unlink(&spool->draft);
	spool_draft_close(&spool->draft);
	(void)pthread_cond_destroy(&spool->changed);
	lock_finish(&spool->mutex);
	free(spool);
}

static void wake_streams(struct spool *spool)
{
	lock_expect(&spool->mutex);
	spool->drained = false;
	(void)pthread_cond_broadcast(&spool->changed);
}

/* Everyone who waits is to be woken by the caller, outside of it. */
static struct waiter *detach_waiters(struct spool *spool)
{
	lock_expect(&spool->mutex);
	spool->woken_at_length = spool->progress.length;
	spool->woken_at_visible = spool->progress.visible;
	spool->woken_at_us = clock_monotonic_us();
	wake_streams(spool);
	return TAKE(spool->waiters);
}

/* A small step is left to the next one: the inspector needs no haste and clients would pay for it. */
static bool worth_waking(const struct spool *spool)
{
	int64_t length = spool->progress.length;
	int64_t wake_us = length < BEGINNING_BYTES ? BEGINNING_WAKE_US : WAKE_US;

	return length - spool->woken_at_length >= WAKE_BYTES ||
	       clock_monotonic_us() - spool->woken_at_us >= wake_us;
}

static struct waiter *grow(struct spool *spool, size_t length)
{
	LOCKED(&spool->mutex);

	spool->progress.length += (int64_t)length;
	spool->progress.visible = visible_of(spool);
	if (worth_waking(spool))
		return detach_waiters(spool);
	if (spool->drained)
		wake_streams(spool);
	return NULL;
}

static bool may_append(struct spool *spool, int64_t *offset, struct err *err)
{
	LOCKED(&spool->mutex);

	if (spool->progress.state == SPOOL_REFUSED) {
		*err = spool->progress.err;
		return false;
	}
	*offset = spool->progress.length;
	return true;
}

bool spool_append(struct spool *spool, const void *bytes, size_t length, struct err *err)
{
	int64_t offset;

	if (!may_append(spool, &offset, err) || !file_write_at(spool->draft.fd, bytes, length, offset, err))
		return false;
	waiter_wake_all(grow(spool, length));
	return true;
}

static bool has_ended(const struct spool *spool)
{
	return spool->progress.state >= SPOOL_KEPT;
}

/* Goes to a state unless the spool has ended. */
static struct waiter *change_state(struct spool *spool, enum spool_state state)
{
	struct waiter *to_wake;

	lock_expect(&spool->mutex);
	if (has_ended(spool))
		return NULL;
	spool->progress.state = state;
	spool->progress.visible = visible_of(spool);
	to_wake = detach_waiters(spool);
	return has_ended(spool) ? waiter_concat(to_wake, TAKE(spool->ahead)) : to_wake;
}

static struct waiter *end_with(struct spool *spool, enum spool_state state, const struct err *why)
{
	LOCKED(&spool->mutex);

	if (why && !has_ended(spool))
		spool->progress.err = *why;
	return change_state(spool, state);
}

void spool_complete(struct spool *spool)
{
	waiter_wake_all(end_with(spool, SPOOL_COMPLETE, NULL));
}

void spool_mark_kept(struct spool *spool)
{
	waiter_wake_all(end_with(spool, SPOOL_KEPT, NULL));
}

void spool_mark_passed(struct spool *spool)
{
	waiter_wake_all(end_with(spool, SPOOL_PASSED, NULL));
}

void spool_refuse(struct spool *spool, const struct err *err)
{
	waiter_wake_all(end_with(spool, SPOOL_REFUSED, err));
}

/* Whoever reads, or may have seen bytes, needs them all. */
static bool cut_to(struct spool *spool, int64_t length)
{
	if (spool->shown || spool->progress.pass_through || has_ended(spool) ||
		!spool_draft_cut(&spool->draft, length))
		return false;
	spool->progress.state = SPOOL_GROWING;
	spool->progress.length = length;
	spool->progress.visible = visible_of(spool);
	spool->woken_at_length = length;
	return true;
}

void spool_expect(struct spool *spool, int64_t length)
{
	LOCKED(&spool->mutex);

	spool->progress.expected = length > 0 ? length : 0;
}

bool spool_restart(struct spool *spool)
{
	LOCKED(&spool->mutex);

	if (!cut_to(spool, 0))
		return false;
	spool->progress.expected = 0;
	spool->concealed = false;
	return true;
}

bool spool_shorten(struct spool *spool, int64_t length)
{
	LOCKED(&spool->mutex);

	return length <= spool->progress.length && cut_to(spool, length);
}

static struct waiter *reveal(struct spool *spool)
{
	LOCKED(&spool->mutex);

	spool->concealed = false;
	spool->progress.visible = visible_of(spool);
	return detach_waiters(spool);
}

void spool_reveal(struct spool *spool)
{
	waiter_wake_all(reveal(spool));
}

/* ---- in pass-through ---- */

/* The name goes first: no process may ever take up a draft with holes. */
static bool begin_pass_through(struct spool *spool, const struct err *why, struct waiter **to_wake)
{
	LOCKED(&spool->mutex);

	if (spool->progress.visible == 0 || has_ended(spool) || !spool_draft_unlink(&spool->draft))
		return false;
	spool->progress.pass_through = true;
	spool->progress.err = *why;
	*to_wake = detach_waiters(spool);
	return true;
}

bool spool_pass_through(struct spool *spool, const struct err *why)
{
	struct waiter *to_wake = NULL;

	if (!begin_pass_through(spool, why, &to_wake))
		return false;
	waiter_wake_all(to_wake);
	return true;
}

bool spool_is_pass_through(struct spool *spool, struct err *why)
{
	LOCKED(&spool->mutex);

	if (spool->progress.pass_through)
		*why = spool->progress.err;
	return spool->progress.pass_through;
}

/* Whoever joins meanwhile must find out: the bytes count as gone before they are. */
static bool advance_window(struct spool *spool, int64_t *gone)
{
	LOCKED(&spool->mutex);
	int64_t whole = readers_slowest(&spool->members, spool->progress.length) / SPOOL_GIVE_BACK_STEP *
			SPOOL_GIVE_BACK_STEP;
	bool moves = spool->progress.pass_through && whole > spool->gone;

	if (moves)
		spool->gone = whole;
	INVARIANT(spool->gone <= spool->progress.length);
	*gone = spool->gone;
	return moves;
}

int64_t spool_give_back(struct spool *spool)
{
	int64_t gone;

	/* A hole that began or ended within a page (up to 2 MiB in some file systems) would have its part of
	 * it zeroed, although it may be on its way to a client who was sent it without a copy. Where the file
	 * system cannot make holes, there will be no more room: the writer finds out. */
	if (advance_window(spool, &gone))
		spool_draft_give_back(&spool->draft, gone);
	return gone;
}

int64_t spool_slowest(struct spool *spool)
{
	LOCKED(&spool->mutex);

	return readers_slowest(&spool->members, spool->progress.length);
}

bool spool_cut_slowest(struct spool *spool)
{
	LOCKED(&spool->mutex);

	return readers_cut(&spool->members, readers_slowest(&spool->members, spool->progress.length));
}

void spool_join(struct spool *spool, struct spool_reader *reader)
{
	LOCKED(&spool->mutex);

	readers_join(&spool->members, reader);
	reader->cut = spool->gone > 0;
}

bool spool_advance(struct spool *spool, struct spool_reader *reader, int64_t offset)
{
	LOCKED(&spool->mutex);

	reader->offset = offset;
	reader->borrows = false;
	return !reader->cut;
}

bool spool_borrow(struct spool *spool, struct spool_reader *reader, int64_t offset)
{
	LOCKED(&spool->mutex);

	reader->offset = offset;
	reader->borrows = !reader->cut;
	return reader->borrows;
}

/* Under the mutex, after the steady readers have moved: who waited for that is to be woken. */
static struct waiter *follow_readers(struct spool *spool)
{
	struct waiter *to_wake = NULL;
	int64_t news;

	lock_expect(&spool->mutex);
	spool->progress.visible = visible_of(spool);
	news = spool->progress.visible - spool->woken_at_visible;
	if (news >= WAKE_BYTES ||
		(news > 0 && spool->progress.visible + SPOOL_HELD_BACK >= spool->progress.length))
		to_wake = detach_waiters(spool);
	if (spool->ahead && spool->progress.length <= readers_furthest(&spool->members, 3))
		to_wake = waiter_concat(to_wake, TAKE(spool->ahead));
	return to_wake;
}

static struct waiter *part(struct spool *spool, struct spool_reader *reader)
{
	LOCKED(&spool->mutex);

	readers_part(reader);
	return reader->steady ? follow_readers(spool) : NULL;
}

void spool_part(struct spool *spool, struct spool_reader *reader)
{
	waiter_wake_all(part(spool, reader));
}

bool spool_await_readers(struct spool *spool, struct waiter *waiter)
{
	LOCKED(&spool->mutex);

	if (spool->progress.state != SPOOL_GROWING ||
		spool->progress.length <= readers_furthest(&spool->members, 4))
		return false;
	if (waiter)
		waiter_join(&spool->ahead, waiter);
	return true;
}

bool spool_leave_readers(struct spool *spool, struct waiter *waiter)
{
	LOCKED(&spool->mutex);

	return waiter_leave(&spool->ahead, waiter);
}

void spool_leave_draft(struct spool *spool)
{
	LOCKED(&spool->mutex);

	spool->leave_draft = true;
}

void spool_write_out(struct spool *spool, int64_t from, int64_t to)
{
	spool_draft_write_out(&spool->draft, from, to);
}

bool spool_sync(struct spool *spool, struct err *err)
{
	return spool_draft_sync(&spool->draft, err);
}

const char *spool_name(const struct spool *spool)
{
	return spool->draft.name;
}

int spool_fd(const struct spool *spool)
{
	return spool->draft.fd;
}

bool spool_await(struct spool *spool, struct spool_progress *seen, struct waiter *waiter)
{
	LOCKED(&spool->mutex);
	bool nothing_new = seen->visible == spool->progress.visible && seen->state == spool->progress.state &&
			   seen->pass_through == spool->progress.pass_through;

	INVARIANT(spool->progress.visible <= spool->progress.length);
	*seen = spool->progress;
	if (seen->visible > 0)
		spool->shown = true;
	if (!waiter || !nothing_new)
		return false;
	waiter_join(&spool->waiters, waiter);
	return true;
}

void spool_add_readers(struct spool *spool, int change)
{
	atomic_fetch_add_explicit(&spool->readers, change, memory_order_relaxed);
}

int spool_readers(const struct spool *spool)
{
	return atomic_load_explicit(&spool->readers, memory_order_relaxed);
}

bool spool_leave(struct spool *spool, struct waiter *waiter)
{
	LOCKED(&spool->mutex);

	return waiter_leave(&spool->waiters, waiter);
}

struct spool_progress spool_wait_end(struct spool *spool)
{
	LOCKED(&spool->mutex);

	while (!has_ended(spool))
		lock_wait(&spool->mutex, &spool->changed);
	return spool->progress;
}

/* Until something changes; behind a small step a little more, as what follows it is not announced. */
static void sleep_for_more(struct spool *spool)
{
	spool->drained = true;
	lock_wait(&spool->mutex, &spool->changed);
	if (spool->progress.state == SPOOL_GROWING && spool->progress.length != spool->woken_at_length)
		(void)lock_wait_until(&spool->mutex, &spool->changed, clock_monotonic_ms() + WAKE_US / 1000);
}

/* The inspector follows every
 * spool, so whatever append left unannounced is announced here: no client waits for bytes that are there. */
static bool await_bytes(
	struct spool *spool, int64_t offset, int64_t *length, struct waiter **to_wake, struct err *err)
{
	LOCKED(&spool->mutex);

	while (spool->progress.state == SPOOL_GROWING && spool->progress.length <= offset)
		sleep_for_more(spool);
	if (spool->progress.state == SPOOL_REFUSED) {
		*err = spool->progress.err;
		return false;
	}
	*length = spool->progress.length;
	if (spool->progress.length != spool->woken_at_length)
		*to_wake = detach_waiters(spool);
	return true;
}

bool spool_wait_bytes(struct spool *spool, int64_t offset, int64_t *length, struct err *err)
{
	struct waiter *to_wake = NULL;

	if (!await_bytes(spool, offset, length, &to_wake, err))
		return false;
	waiter_wake_all(to_wake);
	return true;
}

static struct waiter *note_done(
	struct spool *spool, struct spool_reader *reader, int64_t bytes, int64_t spent_us)
{
	LOCKED(&spool->mutex);

	lead_note(&reader->lead, bytes, spent_us);
	return follow_readers(spool);
}

void spool_note_done(struct spool *spool, struct spool_reader *reader, int64_t bytes, int64_t spent_us)
{
	waiter_wake_all(note_done(spool, reader, bytes, spent_us));
}
