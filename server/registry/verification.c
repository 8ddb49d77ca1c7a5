/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/verification.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/registry/committer.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_artifacts.h"

/* How far it is is written down now and then: what was read since is read again. */
enum { NOTED_MS = 1000, READS_MAX = 3, OTHERS_MAX = 4, PROBE_BYTES = 4096 };

static const char *const fault_names[FAULT_COUNT] = {
	[FAULT_DAMAGED] = "damaged", [FAULT_MISSING] = "missing", [FAULT_UNREADABLE] = "unreadable"};

const char *blob_fault_name(enum blob_fault fault)
{
	return fault_names[fault];
}

struct verification {
	const struct blob_losses *losses;
	const struct verification_order *order;
	struct pass pass;
	int64_t noted_ms;
	struct paced_blob blob;
};

enum outcome { OUTCOME_WHOLE, OUTCOME_GONE, OUTCOME_AGAIN, OUTCOME_FAULTY };

/* ---- one blob ---- */

/* The bytes as the disk has them, not as they are remembered. */
static void forget_pages(int fd)
{
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* *was_read: to its end, whatever its bytes are. */
static bool read_once(struct verification *verification, const struct pass_blob *item, int fd, bool *was_read,
	bool *whole, struct err *why)
{
	struct stream *stream;

	forget_pages(fd);
	stream = paced_blob_init(
		&verification->blob, fd, verification->order->stop, verification->order->rate);
	*was_read = stream_drain(stream, why);
	*whole = *was_read && paced_blob_verify(&verification->blob, &item->digest, why);
	paced_blob_finish(&verification->blob);
	return *whole || why->code != ERR_NOT_FOUND;
}

static bool is_readable(const struct verification *verification, const struct pass_blob *item)
{
	uint8_t block[PROBE_BYTES];
	AUTO_FD int fd = -1;
	size_t length;
	struct err err;

	if (!blobs_peek(verification->losses->blobs, &item->digest, &fd, &err))
		return false;
	forget_pages(fd);
	return file_read_at(fd, block, sizeof block, 0, &length, &err);
}

/* A disk that answers nothing for a while is no reason to give up all that is on it: where a blob cannot be
 * read, one of its neighbours must be, if it has any. */
static bool check_disk(const struct verification *verification, const struct pass_blob *item,
	const struct err *why, struct err *err)
{
	struct catalog *catalog = verification->losses->catalog;
	struct pass_blob other = *item;
	bool has_others = false;

	for (int i = 0; i < OTHERS_MAX; i++) {
		/* Behind the last one comes the first. */
		if (!catalog_next_blob(catalog, other.id ? &other.digest : NULL, &other, err))
			return false;
		if (other.id == item->id)
			break;
		if (other.id != 0 && is_readable(verification, &other))
			return true;
		has_others = has_others || other.id != 0;
	}
	return !has_others ||
	       err_set(err, ERR_INTERNAL,
		       "neither blob %.16s… nor those behind it can be read (%.200s): see that the disk of "
		       "blobs/ is there, and sound",
		       item->digest.hex, why->text);
}

/* A signal waits until the row, the file and what the daemon has at hand are in keeping. */
static bool condemn(struct verification *verification, const struct pass_blob *item, int fd, bool *condemned,
	struct err *err)
{
	sigset_t all, before;
	bool done;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	done = blob_losses_condemn(
		verification->losses, &item->digest, fd, item->is_published, condemned, err);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return done;
}

/* Read twice before it is condemned: memory errs, too. */
static bool examine(struct verification *verification, const struct pass_blob *item, int fd,
	enum outcome *out, struct err *why, struct err *err)
{
	bool whole = false;
	bool was_read;
	bool condemned;

	for (int i = 0; i < 2 && !whole; i++) {
		if (!read_once(verification, item, fd, &was_read, &whole, why)) {
			*out = OUTCOME_AGAIN; /* removed, or replaced, while it was read */
			return true;
		}
	}
	*out = OUTCOME_WHOLE;
	if (whole)
		return true;
	if ((!was_read && !check_disk(verification, item, why, err)) ||
		!condemn(verification, item, fd, &condemned, err))
		return false;
	*out = condemned ? OUTCOME_FAULTY : OUTCOME_AGAIN;
	return true;
}

/* *fault and *why are set where it is OUTCOME_FAULTY. */
static bool look(struct verification *verification, const struct pass_blob *item, enum outcome *out,
	enum blob_fault *fault, struct err *why, struct err *err)
{
	const struct blob_losses *losses = verification->losses;
	AUTO_FD int fd = -1;
	bool lost;

	*fault = FAULT_DAMAGED;
	if (blobs_peek(losses->blobs, &item->digest, &fd, why))
		return examine(verification, item, fd, out, why, err);
	/* Others will let go of their descriptors. */
	if (why->code == ERR_BUSY) {
		*err = *why;
		return false;
	}
	*out = OUTCOME_FAULTY;
	*fault = FAULT_UNREADABLE;
	if (why->code != ERR_NOT_FOUND)
		return true;
	if (!committer_check_lost(losses->committer, &item->digest, &lost, err))
		return false;
	*fault = FAULT_MISSING;
	(void)err_set(why, ERR_NOT_FOUND, "its file is gone: there is no blobs/sha256/%.2s/%s",
		item->digest.hex, item->digest.hex);
	*out = lost ? OUTCOME_FAULTY : OUTCOME_AGAIN;
	return true;
}

static bool settle_outcome(struct verification *verification, const struct pass_blob *item,
	enum outcome *outcome, struct err *err)
{
	bool claimed;

	if (*outcome != OUTCOME_AGAIN)
		return true;
	if (!catalog_claims_blob(verification->losses->catalog, &item->digest, &claimed, err))
		return false;
	if (!claimed || atomic_load(verification->order->stop))
		*outcome = OUTCOME_GONE;
	return true;
}

static bool verify_blob(struct verification *verification, const struct pass_blob *item, struct err *err)
{
	enum outcome outcome = OUTCOME_AGAIN;
	enum blob_fault fault = FAULT_DAMAGED;
	struct err why;

	for (int i = 0; i < READS_MAX && outcome == OUTCOME_AGAIN; i++) {
		if (!look(verification, item, &outcome, &fault, &why, err) ||
			!settle_outcome(verification, item, &outcome, err))
			return false;
	}
	if (outcome == OUTCOME_GONE)
		return true;
	verification->pass.sums.blobs++;
	verification->pass.sums.bytes += item->size_bytes;
	if (outcome != OUTCOME_FAULTY)
		return true;
	verification->pass.sums.damaged++;
	return verification->order->found(verification->order->context, item, fault, why.text, err);
}

/* ---- the pass ---- */

static bool note(struct verification *verification, bool at_once, struct err *err)
{
	int64_t now_ms = clock_monotonic_ms();

	if (!at_once && now_ms < verification->noted_ms + NOTED_MS)
		return true;
	verification->noted_ms = now_ms;
	return catalog_write_pass(
		verification->losses->catalog, verification->order->kind, &verification->pass, err);
}

static bool begin(struct verification *verification, struct err *err)
{
	struct pass *pass = &verification->pass;

	if (!catalog_find_pass(verification->losses->catalog, verification->order->kind, pass, err))
		return false;
	if (pass->started_s != 0 && !verification->order->anew)
		return true;
	pass->started_s = clock_now_s();
	pass->begun = false;
	pass->sums = (struct pass_sums){0};
	return note(verification, true, err);
}

static bool end(struct verification *verification, struct err *err)
{
	struct pass *pass = &verification->pass;

	pass->last = pass->sums;
	pass->last_started_s = pass->started_s;
	pass->last_ended_s = clock_now_s();
	pass->started_s = 0;
	pass->begun = false;
	pass->sums = (struct pass_sums){0};
	return note(verification, true, err);
}

/* *more is false at the end, and where it is stopped. */
static bool step(struct verification *verification, bool *more, struct err *err)
{
	const struct verification_order *order = verification->order;
	struct pass *pass = &verification->pass;
	const struct pass_sums before = pass->sums;
	struct pass_blob item;

	if (!catalog_next_blob(verification->losses->catalog, pass->begun ? &pass->behind : NULL, &item, err))
		return false;
	*more = item.id != 0;
	if (!*more)
		return end(verification, err);
	if (order->pace)
		order->pace(order->context, pass);
	if (!atomic_load(order->stop) && !verify_blob(verification, &item, err))
		return false;
	*more = !atomic_load(order->stop);
	/* What was stopped in its middle is read again. */
	if (*more || pass->sums.blobs != before.blobs) {
		pass->begun = true;
		pass->behind = item.digest;
	}
	return note(verification, !*more || pass->sums.damaged != before.damaged, err);
}

bool verification_run(const struct blob_losses *losses, const struct verification_order *order,
	struct pass *out, struct err *err)
{
	AUTO_FREE struct verification *verification = mem_zero(1, sizeof *verification);
	bool more = true;

	verification->losses = losses;
	verification->order = order;
	if (!begin(verification, err))
		return false;
	while (more) {
		if (!step(verification, &more, err))
			return false;
	}
	*out = verification->pass;
	return true;
}
