/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/running_fills.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>

#include "common/own.h"

/* There may be so many fills for each that runs; fewer of those that no client waits for. A client leaves a
 * part to the others. */
enum { QUEUE_FACTOR = 16, QUEUE_FACTOR_AHEAD = 12, CLIENTS_ROWS = 4 };

void running_fills_init(struct running_fills *fills, int64_t max_fills)
{
	fills->max_fills = max_fills;
	list_init(&fills->list);
	shares_init(&fills->shares);
	fills->ended = ended_fills_create();
}

void running_fills_finish(struct running_fills *fills)
{
	assert(list_is_empty(&fills->list));
	ended_fills_destroy(fills->ended);
}

bool running_fills_has_row(
	const struct running_fills *fills, const char *client, int64_t count, bool wanted, struct err *err)
{
	const struct share *share = shares_find(&fills->shares, client);
	int64_t most = (wanted ? QUEUE_FACTOR : QUEUE_FACTOR_AHEAD) * fills->max_fills;

	if (count >= most)
		return err_set(err, ERR_BUSY,
			"%" PRId64 " fills are running or waiting; try again in a moment", count);
	if (share && (int64_t)share->members >= most - most / CLIENTS_ROWS)
		return err_set(err, ERR_BUSY,
			"you have %zu fills running or waiting, and the rest are for others; try again when "
			"some have ended",
			share->members);
	return true;
}

void running_fills_add(struct running_fills *fills, struct running_fill *fill, const char *client)
{
	fill->id = ++fills->last_id;
	fill->share = shares_take(&fills->shares, client);
	list_prepend(&fills->list, &fill->link);
}

void running_fills_remove(struct running_fills *fills, struct running_fill *fill)
{
	struct fill_status status = running_fill_ended(fill);

	list_remove(&fill->link);
	fills->ended_of[name_hash(&fill->name) % NAMES_APART]++;
	fill->share->placed -= !fill->waits;
	shares_give_back(TAKE(fill->share));
	ended_fills_add(fills->ended, &status);
}

struct running_fill *running_fills_find(const struct running_fills *fills, const struct name *name)
{
	LIST_EACH (struct running_fill, fill, link, &fills->list) {
		if (!atomic_load(&fill->progress.refused) && name_equals(&fill->name, name))
			return fill;
	}
	return NULL;
}

struct running_fill *running_fills_find_id(const struct running_fills *fills, int64_t id)
{
	LIST_EACH (struct running_fill, fill, link, &fills->list) {
		if (fill->id == id)
			return fill;
	}
	return NULL;
}

uint64_t running_fills_count_over(const struct running_fills *fills, const struct name *name)
{
	uint64_t over = fills->ended_of[name_hash(name) % NAMES_APART];

	LIST_EACH (const struct running_fill, fill, link, &fills->list)
		over += atomic_load(&fill->progress.refused) && name_equals(&fill->name, name);
	return over;
}

void running_fills_lend(struct running_fills *fills, struct running_fill *fill, const char *client)
{
	struct share *share = shares_take(&fills->shares, client);

	if (!fill->waits || share->placed >= fill->share->placed) {
		shares_give_back(share);
		return;
	}
	shares_give_back(fill->share);
	fill->share = share;
}

void running_fills_begin(struct running_fills *fills, struct running_fill *fill)
{
	assert(fill->waits);
	fill->waits = false;
	fill->share->placed++;
	fill->share->turn = ++fills->turns;
}

void running_fills_list(const struct running_fills *fills, struct fill_list *out)
{
	size_t at = 0;

	LIST_EACH (const struct running_fill, fill, link, &fills->list)
		at++;
	out->running = at;
	out->count = at;
	LIST_EACH (struct running_fill, fill, link, &fills->list)
		out->items[--at] = running_fill_status(fill);
	ended_fills_list(fills->ended, out);
}
