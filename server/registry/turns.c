/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/turns.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/invariant.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/registry/shares.h"

static const struct lock_place lock_place = {"turns", RANK_TURNS};

enum { OTHERS_SHARE = 4, RETRY_AFTER_S = 30 };

struct turns {
	struct lock mutex; /* guards all but kind and places */
	struct list line;
	struct shares shares;
	int64_t inside;
	uint64_t given; /* places, ever */
	const struct turns_kind *kind;
	int64_t places;
};

struct turns *turns_create(const struct turns_kind *kind, int64_t places)
{
	struct turns *turns = mem_zero(1, sizeof *turns);

	lock_init(&turns->mutex, &lock_place);
	list_init(&turns->line);
	shares_init(&turns->shares);
	turns->kind = kind;
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

static void line_up(struct turns *turns, struct line_turn *turn)
{
	turn->state = TURN_IN_LINE;
	list_append(&turns->line, &turn->link);
	metric_add(turns->kind->waiting, 1);
}

static void step_out(const struct turns *turns, struct line_turn *turn)
{
	list_remove(&turn->link);
	metric_add(turns->kind->waiting, -1);
}

/* Whether there is a place for him. */
static bool has_place(const struct turns *turns, const struct share *share)
{
	return turns->inside < turns->places &&
	       (int64_t)share->placed < turns->places - turns->places / OTHERS_SHARE;
}

static void take_place(struct turns *turns, struct line_turn *turn)
{
	INVARIANT(turns->inside < turns->places);
	turns->inside++;
	turn->share->placed++;
	turn->share->turn = ++turns->given;
	turn->state = TURN_TAKEN;
}

static bool refuse(const struct turns *turns, const struct share *share, struct err *err)
{
	(void)err_set(err, ERR_BUSY,
		"%zu of your %s are running, of %" PRId64
		" in all (%s), and %zu wait for their turn; let some "
		"end, and try again in a while",
		share->placed, turns->kind->what, turns->inside, turns->kind->key,
		share->members - share->placed);
	err->retry_after_s = RETRY_AFTER_S;
	return false;
}

/* He is a member already. */
static bool has_room_in_line(const struct turns *turns, const struct share *share)
{
	int64_t most = turns->places * turns->kind->line_of_place;

	return most == 0 || (int64_t)(share->members - share->placed) <= most;
}

bool turns_enter(struct turns *turns, const char *client, struct line_turn *turn, struct err *err)
{
	LOCKED(&turns->mutex);
	struct share *share = shares_take(&turns->shares, client);

	turn->share = share;
	if (has_place(turns, share)) {
		take_place(turns, turn);
		return true;
	}
	if (!has_room_in_line(turns, share)) {
		share->members--;
		(void)refuse(turns, share, err);
		share->members++;
		shares_give_back(TAKE(turn->share));
		return false;
	}
	line_up(turns, turn);
	return true;
}

bool turns_await(struct turns *turns, struct line_turn *turn, struct waiter *waiter)
{
	LOCKED(&turns->mutex);

	if (turn->state != TURN_IN_LINE)
		return false;
	turn->waiter = waiter;
	return true;
}

bool turns_leave(struct turns *turns, struct line_turn *turn)
{
	LOCKED(&turns->mutex);

	return TAKE(turn->waiter) != NULL;
}

/* Of two clients whose turn it is before the other's; false: neither's. */
static bool goes_before(const struct share *share, const struct share *other)
{
	return share->placed != other->placed ? share->placed < other->placed : share->turn < other->turn;
}

static struct line_turn *find_next(const struct turns *turns)
{
	struct line_turn *found = NULL;

	LIST_EACH (struct line_turn, turn, link, &turns->line) {
		if (has_place(turns, turn->share) && (!found || goes_before(turn->share, found->share)))
			found = turn;
	}
	return found;
}

/* Gives a place that is free to the next. Its waiter, to be woken outside of the mutex; NULL: there is none,
 * or nobody in line may have it. */
static struct waiter *give_place(struct turns *turns)
{
	struct line_turn *turn = find_next(turns);

	if (!turn)
		return NULL;
	step_out(turns, turn);
	take_place(turns, turn);
	return TAKE(turn->waiter);
}

static struct waiter *exit_turn(struct turns *turns, struct line_turn *turn)
{
	LOCKED(&turns->mutex);
	bool had_place = turn->state == TURN_TAKEN;

	if (turn->state == TURN_NONE)
		return NULL;
	INVARIANT(list_holds(&turn->link) == !had_place && turns->inside >= had_place);
	if (turn->state == TURN_IN_LINE)
		step_out(turns, turn);
	turns->inside -= had_place;
	turn->share->placed -= had_place;
	turn->state = TURN_NONE;
	shares_give_back(TAKE(turn->share));
	return had_place ? give_place(turns) : NULL;
}

void turns_exit(struct turns *turns, struct line_turn *turn)
{
	struct waiter *woken = exit_turn(turns, turn);

	if (woken)
		woken->wake(woken);
}
