/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/standings.h"

#include <stdlib.h>

#include "common/mem.h"
#include "server/registry/fetch.h"

void standings_init(
	struct standings *standings, const struct upstream *upstreams, size_t count, const struct name *name)
{
	*standings = (struct standings){.upstreams = upstreams, .count = count};
	standings->items = mem_zero(count ? count : 1, sizeof *standings->items);
	for (size_t i = 0; i < count; i++) {
		if (!upstream_may_have(&upstreams[i], name))
			standings->items[i] = STANDING_OTHER;
	}
}

void standings_finish(struct standings *standings)
{
	free(standings->items);
	*standings = (struct standings){0};
}

void standings_note(struct standings *standings, size_t upstream, enum verdict verdict, const struct err *err)
{
	static const enum standing table[] = {
		[VERDICT_ABSENT] = STANDING_ABSENT,
		[VERDICT_REFUSED] = STANDING_REFUSED,
		[VERDICT_FORBIDDEN] = STANDING_FORBIDDEN,
		[VERDICT_HIDDEN] = STANDING_HIDDEN,
		[VERDICT_KEPT] = STANDING_OPEN,
	};

	const char *name = standings->upstreams[upstream].name;

	standings->items[upstream] = verdict <= VERDICT_KEPT ? table[verdict] : STANDING_OPEN;
	if (verdict != VERDICT_ABSENT && verdict != VERDICT_KEPT)
		fetch_keep_worse(&standings->worst, err, name);
	if (verdict == VERDICT_FORBIDDEN || verdict == VERDICT_HIDDEN)
		fetch_keep_worse(&standings->doubt, err, name);
}

void standings_doubt(struct standings *standings, size_t upstream)
{
	standings->items[upstream] = STANDING_DOUBTED;
}

void standings_reopen(struct standings *standings)
{
	for (size_t i = 0; i < standings->count; i++) {
		if (standings->items[i] == STANDING_DOUBTED)
			standings->items[i] = STANDING_OPEN;
	}
}

void standings_leave_out(struct standings *standings, size_t upstream)
{
	standings->items[upstream] = STANDING_OTHER;
}

void standings_forget_loop(struct standings *standings)
{
	if (standings->worst.code == ERR_LOOP_DETECTED)
		standings->worst = (struct err){0};
}

bool standings_is_open(const struct standings *standings, size_t upstream)
{
	return standings->items[upstream] == STANDING_OPEN;
}

static size_t count_of(const struct standings *standings, enum standing standing)
{
	size_t found = 0;

	for (size_t i = 0; i < standings->count; i++)
		found += standings->items[i] == standing;
	return found;
}

bool standings_all_settled(const struct standings *standings)
{
	return count_of(standings, STANDING_OPEN) + count_of(standings, STANDING_DOUBTED) == 0;
}

/* A 403 alone says nothing of absence; where another upstream says that it does not have it, nobody is helped
 * by a failure that trying again does not end. */
static bool is_absent(const struct standings *standings)
{
	bool some_say_so = count_of(standings, STANDING_ABSENT) + count_of(standings, STANDING_HIDDEN) > 0;

	return standings_all_settled(standings) && count_of(standings, STANDING_REFUSED) == 0 &&
	       (some_say_so || count_of(standings, STANDING_FORBIDDEN) == 0);
}

bool standings_conclude(const struct standings *standings, const struct name *name, struct err *err)
{
	if (!is_absent(standings)) {
		*err = standings->worst;
		return standings->worst.code != ERR_NONE;
	}
	if (standings->doubt.code == ERR_NONE)
		(void)fetch_refuse_absent(name, err);
	else
		(void)err_set(err, ERR_NOT_FOUND,
			"%s is not here, and no upstream has it or shows it (%.250s)", name_path(name).text,
			standings->doubt.text);
	return true;
}
