/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/turns.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"turns", RANK_TURNS};

enum { LINE_PER_PLACE = 8, RETRY_AFTER_S = 30 };

struct turns {
	struct lock mutex; /* guards all but places */
	struct upload_turn *line;
	struct upload_turn **end; /* where the next is linked in */
	int64_t inside;
	int64_t in_line;
	int64_t places;
};

struct turns *turns_create(int64_t places)
{
	struct turns *turns = mem_zero(1, sizeof *turns);

	lock_init(&turns->mutex, &lock_place);
	turns->end = &turns->line;
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
	turn->next = NULL;
	*turns->end = turn;
	turns->end = &turn->next;
	turns->in_line++;
	metric_add(METRIC_UPLOADS_WAITING, 1);
}

static void step_out(struct turns *turns, struct upload_turn *turn)
{
	struct upload_turn **link = &turns->line;

	while (*link != turn)
		link = &(*link)->next;
	*link = turn->next;
	if (!turn->next)
		turns->end = link;
	turns->in_line--;
	metric_add(METRIC_UPLOADS_WAITING, -1);
}

bool turns_enter(struct turns *turns, struct upload_turn *turn, struct err *err)
{
	LOCKED(&turns->mutex);

	if (turns->inside < turns->places) {
		turns->inside++;
		turn->state = TURN_TAKEN;
		return true;
	}
	if (turns->in_line >= turns->places * LINE_PER_PLACE) {
		(void)err_set(err, ERR_BUSY,
			"%" PRId64 " uploads are running (publish.max_uploads), and %" PRId64
			" wait for their turn; try again in a while",
			turns->inside, turns->in_line);
		err->retry_after_s = RETRY_AFTER_S;
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

/* Its waiter, to be woken outside of the mutex; NULL: there is none, or nobody was in line. */
static struct waiter *give_place(struct turns *turns)
{
	struct upload_turn *turn = turns->line;

	if (!turn) {
		turns->inside--;
		return NULL;
	}
	step_out(turns, turn);
	turn->state = TURN_TAKEN;
	return TAKE(turn->waiter);
}

static struct waiter *exit_turn(struct turns *turns, struct upload_turn *turn)
{
	LOCKED(&turns->mutex);
	struct waiter *woken = turn->state == TURN_TAKEN ? give_place(turns) : NULL;

	if (turn->state == TURN_IN_LINE)
		step_out(turns, turn);
	turn->state = TURN_NONE;
	return woken;
}

void turns_exit(struct turns *turns, struct upload_turn *turn)
{
	struct waiter *woken = exit_turn(turns, turn);

	if (woken)
		woken->wake(woken);
}
