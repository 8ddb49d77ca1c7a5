/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/turns.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/registry/shares.h"

static const struct lock_place lock_place = {"turns", RANK_TURNS};

enum { LINE_PER_PLACE = 8, OTHERS_SHARE = 4, RETRY_AFTER_S = 30 };

struct turns {
	struct lock mutex; /* guards all but places */
	struct list line;
	struct shares shares;
	int64_t inside;
	int64_t places;
};

struct turns *turns_create(int64_t places)
{
	struct turns *turns = mem_zero(1, sizeof *turns);

	lock_init(&turns->mutex, &lock_place);
	list_init(&turns->line);
	shares_init(&turns->shares);
	turns->places = places;
	return turns;
}

void turns_destroy(struct turns *turns)
{
	if (!turns)
		return;
	lock_finish(&turns->mutex);
	free(turns);
}

static void line_up(struct turns *turns, struct upload_turn *turn)
{
	turn->state = TURN_IN_LINE;
	list_append(&turns->line, &turn->link);
	metric_add(METRIC_UPLOADS_WAITING, 1);
}

static void step_out(struct upload_turn *turn)
{
	list_remove(&turn->link);
	metric_add(METRIC_UPLOADS_WAITING, -1);
}

/* Whether there is a place for him. */
static bool has_place(const struct turns *turns, const struct share *share)
{
	return turns->inside < turns->places &&
	       (int64_t)share->placed < turns->places - turns->places / OTHERS_SHARE;
}

static void take_place(struct turns *turns, struct upload_turn *turn)
{
	turns->inside++;
	turn->share->placed++;
	turn->state = TURN_TAKEN;
}

static bool refuse(const struct turns *turns, const struct share *share, struct err *err)
{
	(void)err_set(err, ERR_BUSY,
		"%zu of your uploads are running, of %" PRId64 " in all (publish.max_uploads), and %zu wait "
		"for their turn; let some end, and try again in a while",
		share->placed, turns->inside, share->members - share->placed);
	err->retry_after_s = RETRY_AFTER_S;
	return false;
}

bool turns_enter(struct turns *turns, const char *client, struct upload_turn *turn, struct err *err)
{
	LOCKED(&turns->mutex);
	struct share *share = shares_take(&turns->shares, client);

	turn->share = share;
	if (has_place(turns, share)) {
		take_place(turns, turn);
		return true;
	}
	/* This one is a member already. */
	if ((int64_t)(share->members - share->placed) > turns->places * LINE_PER_PLACE) {
		share->members--;
		(void)refuse(turns, share, err);
		share->members++;
		shares_give_back(TAKE(turn->share));
		return false;
	}
	line_up(turns, turn);
	return true;
}

bool turns_await(struct turns *turns, struct upload_turn *turn, struct waiter *waiter)
{
	LOCKED(&turns->mutex);

	if (turn->state != TURN_IN_LINE)
		return false;
	turn->waiter = waiter;
	return true;
}

bool turns_leave(struct turns *turns, struct upload_turn *turn)
{
	LOCKED(&turns->mutex);

	return TAKE(turn->waiter) != NULL;
}

static struct upload_turn *find_next(const struct turns *turns)
{
	struct upload_turn *found = NULL;

	LIST_EACH (struct upload_turn, turn, link, &turns->line) {
		if (has_place(turns, turn->share) && (!found || turn->share->placed < found->share->placed))
			found = turn;
	}
	return found;
}

/* Gives a place that is free to the next. Its waiter, to be woken outside of the mutex; NULL: there is none,
 * or nobody in line may have it. */
static struct waiter *give_place(struct turns *turns)
{
	struct upload_turn *turn = find_next(turns);

	if (!turn)
		return NULL;
	step_out(turn);
	take_place(turns, turn);
	return TAKE(turn->waiter);
}

static struct waiter *exit_turn(struct turns *turns, struct upload_turn *turn)
{
	LOCKED(&turns->mutex);
	bool had_place = turn->state == TURN_TAKEN;

	if (turn->state == TURN_NONE)
		return NULL;
	if (turn->state == TURN_IN_LINE)
		step_out(turn);
	turns->inside -= had_place;
	turn->share->placed -= had_place;
	turn->state = TURN_NONE;
	shares_give_back(TAKE(turn->share));
	return had_place ? give_place(turns) : NULL;
}

void turns_exit(struct turns *turns, struct upload_turn *turn)
{
	struct waiter *woken = exit_turn(turns, turn);

	if (woken)
		woken->wake(woken);
}
