/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hub/follower.h"

#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/http/problem.h"
#include "server/metrics.h"

struct follower {
	struct follower_plan plan;
	char *member; /* what plan.member points to */
	struct spool *spool;
	struct spool_reader reader;
};

static void destroy(void *object)
{
	struct follower *follower = object;

	metric_add(METRIC_FILL_WAITERS, -1);
	spool_part(follower->spool, &follower->reader);
	spool_add_readers(follower->spool, -1);
	spool_release(follower->spool);
	free(follower->member);
	free(follower);
}

static bool leave(void *object, struct waiter *waiter)
{
	struct follower *follower = object;

	return spool_leave(follower->spool, waiter);
}

/* ---- before the first byte ---- */

/* What a range that goes to the end, or counts from there, comes to once it is known how much there will be.
 * One that begins behind the end is for the whole to judge. */
static void settle_range(struct follower_plan *plan, int64_t size)
{
	int64_t first = plan->first >= 0 ? plan->first : size > plan->last ? size - plan->last : 0;

	if (!plan->part || plan->open || first >= size ||
		(plan->first >= 0 && plan->last >= 0 && plan->last < size))
		return;
	plan->open = true;
	plan->first = first;
	plan->last = size - 1;
	plan->size = size;
}

/* The last byte that must be there for a part to be begun; negative: that is not known. */
static int64_t wanted_of(const struct follower_plan *plan)
{
	if (!plan->part)
		return 0;
	if (plan->first < 0 || plan->last < 0)
		return -1;
	return plan->open ? plan->first : plan->last;
}

static bool has_answer(struct follower_plan plan, const struct spool_progress *progress)
{
	int64_t wanted;

	settle_range(&plan, progress->expected);
	wanted = wanted_of(&plan);
	return progress->state == SPOOL_KEPT || progress->state == SPOOL_REFUSED || progress->pass_through ||
	       (!plan.whole && wanted >= 0 && progress->visible > wanted);
}

/* Whether the stream can begin: in pass-through, there will never be a whole to serve from, or to be a part
 * of. */
static bool may_stream(struct follower *follower, const struct spool_progress *seen)
{
	const struct follower_plan *plan = &follower->plan;
	int64_t wanted = plan->open && !plan->size ? plan->last : wanted_of(plan);
	bool depends = plan->whole || (plan->part && (wanted < 0 || seen->visible <= wanted));

	return seen->state != SPOOL_REFUSED && !(seen->pass_through && depends) &&
	       spool_advance(follower->spool, &follower->reader, 0);
}

static bool ready(void *object, struct waiter *waiter)
{
	struct follower *follower = object;
	const struct follower_plan plan = follower->plan;
	struct spool_progress seen = {0};

	/* From the join on, another thread may own the follower. */
	do {
		(void)spool_await(follower->spool, &seen, NULL);
		if (has_answer(plan, &seen))
			return true;
	} while (!spool_await(follower->spool, &seen, waiter));
	return false;
}

static const struct feed_ops feed;
static const struct feed_ops part_feed;

static void tell_range(const struct follower_plan *plan, struct reply *reply)
{
	AUTO_FREE char *size = plan->size ? mem_printf("%lld", (long long)plan->size) : mem_dup("*");

	reply_header_printf(reply, "Content-Range", "bytes %lld-%lld/%s", (long long)plan->first,
		(long long)plan->last, size);
}

static void begin_stream(struct follower *follower, struct reply *reply)
{
	const struct follower_plan *plan = &follower->plan;

	reply_stream(reply, plan->part ? 206 : 200, formats[plan->name.format].media_type,
		plan->part ? &part_feed : &feed, follower);
	if (plan->part)
		tell_range(plan, reply);
	reply_header(reply, "Cache-Status", plan->cache_status);
	plan->begin(plan, reply);
	(void)strcpy(reply->note, "miss");
}

static void refuse(const struct follower_plan *plan, const struct request *request, const struct err *err,
	struct reply *reply)
{
	if (plan->fail)
		plan->fail(plan, request, err, reply);
	else
		problem_reply(reply, err);
}

static void resume(void *object, const struct request *request, struct reply *reply)
{
	struct follower *follower = object;
	struct spool_progress seen = {0};

	(void)spool_await(follower->spool, &seen, NULL);
	settle_range(&follower->plan, seen.expected);
	if (seen.state == SPOOL_KEPT) {
		follower->plan.serve(&follower->plan, request, reply);
		destroy(follower);
	} else if (!may_stream(follower, &seen)) {
		refuse(&follower->plan, request, &seen.err, reply);
		destroy(follower);
	} else if (follower->plan.tell) {
		follower->plan.tell(&follower->plan, reply);
		destroy(follower);
	} else {
		begin_stream(follower, reply);
	}
}

/* ---- streaming ---- */

/* Bytes that were given back meanwhile read as zeros: only the spool knows. */
static enum feed_result read_visible(
	struct follower *follower, int64_t offset, void *bytes, size_t length, size_t *out_read)
{
	struct err err;

	if (!file_read_at(spool_fd(follower->spool), bytes, length, offset, out_read, &err) || *out_read == 0)
		return FEED_CUT;
	return spool_advance(follower->spool, &follower->reader, offset + (int64_t)*out_read) ? FEED_DATA
											      : FEED_CUT;
}

/* Where the answer's byte at this offset stands in the spool. */
static int64_t place_of(const struct follower *follower, int64_t offset)
{
	return follower->plan.part ? follower->plan.first + offset : offset;
}

/* The end of the part that was asked for, or of all that may be shown. */
static int64_t shown_to(const struct follower *follower, const struct spool_progress *seen)
{
	bool beyond = follower->plan.part && seen->visible > follower->plan.last;

	return beyond ? follower->plan.last + 1 : seen->visible;
}

static bool has_all(const struct follower *follower, int64_t place, const struct spool_progress *seen)
{
	return seen->state == SPOOL_KEPT || seen->state == SPOOL_PASSED ||
	       (follower->plan.part && place > follower->plan.last);
}

/* How much there is at the place, unless it ends there. */
static enum feed_result await_more(
	struct follower *follower, int64_t place, int64_t *available, struct waiter *waiter)
{
	struct spool_progress seen = {0};

	do {
		(void)spool_await(follower->spool, &seen, NULL);
		*available = shown_to(follower, &seen) - place;
		if (seen.state == SPOOL_REFUSED)
			return FEED_CUT;
		if (*available > 0)
			return FEED_DATA;
		/* It has become shorter than was told. */
		if (has_all(follower, place, &seen))
			return follower->plan.size > 0 && place <= follower->plan.last ? FEED_CUT : FEED_END;
	} while (!spool_await(follower->spool, &seen, waiter));
	return FEED_WAIT;
}

static enum feed_result read_feed(
	void *object, int64_t offset, void *bytes, size_t length, size_t *out_read, struct waiter *waiter)
{
	int64_t available;
	int64_t place = place_of(object, offset);
	enum feed_result result = await_more(object, place, &available, waiter);

	if (result != FEED_DATA)
		return result;
	if ((int64_t)length > available)
		length = (size_t)available;
	return read_visible(object, place, bytes, length, out_read);
}

static enum feed_result lend(void *object, int64_t offset, struct loan *loan, struct waiter *waiter)
{
	struct follower *follower = object;
	enum feed_result result = await_more(follower, offset, &loan->length, waiter);

	if (result != FEED_DATA)
		return result;
	loan->fd = spool_fd(follower->spool);
	return spool_borrow(follower->spool, &follower->reader, offset) ? FEED_DATA : FEED_CUT;
}

static bool repay(void *object, int64_t offset)
{
	struct follower *follower = object;

	return spool_advance(follower->spool, &follower->reader, offset);
}

static const struct feed_ops feed = {read_feed, leave, destroy, lend, repay};
/* What is lent stands at the same place in the answer and in the file. */
static const struct feed_ops part_feed = {read_feed, leave, destroy, NULL, NULL};
static const struct later_ops later = {ready, leave, resume, destroy, .watched = true};

void follower_reply(struct reply *reply, const struct follower_plan *plan, struct spool *spool)
{
	struct follower *follower = mem_zero(1, sizeof *follower);

	metric_add(METRIC_FILL_WAITERS, 1);
	follower->plan = *plan;
	follower->member = mem_dup(plan->member);
	follower->plan.member = follower->member;
	follower->spool = spool;
	spool_add_readers(spool, 1);
	spool_join(spool, &follower->reader);
	reply_later(reply, &later, follower);
}
