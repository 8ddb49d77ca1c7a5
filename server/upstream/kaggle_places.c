/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/kaggle_places.h"

#include <stdlib.h>

#include "common/lock.h"
#include "common/mem.h"
#include "server/module/handle_globs.h"
#include "server/ranks.h"
#include "server/upstream/kaggle_map.h"

static const struct lock_place lock_place = {"kaggle places", RANK_KAGGLE_PLACES};

struct kaggle_places {
	struct lock mutex;           /* guards imported */
	struct kaggle_map *imported; /* NULL: nothing was */
	struct kaggle_map *own;
	const char *allow; /* of mirror, or NULL */
	const char *deny;
};

struct kaggle_places *kaggle_places_create(struct kaggle_map *own, const char *allow, const char *deny)
{
	struct kaggle_places *places = mem_zero(1, sizeof *places);

	lock_init(&places->mutex, &lock_place);
	places->own = own;
	places->allow = allow;
	places->deny = deny;
	return places;
}

void kaggle_places_destroy(struct kaggle_places *places)
{
	if (!places)
		return;
	kaggle_map_destroy(places->imported);
	kaggle_map_destroy(places->own);
	lock_finish(&places->mutex);
	free(places);
}

static struct kaggle_map *exchange(struct kaggle_places *places, struct kaggle_map *imported)
{
	LOCKED(&places->mutex);
	struct kaggle_map *before = places->imported;

	places->imported = imported;
	return before;
}

void kaggle_places_import(struct kaggle_places *places, struct kaggle_map *imported)
{
	kaggle_map_destroy(exchange(places, imported));
}

static bool find(struct kaggle_places *places, const struct name *name, struct name *out)
{
	if (!places)
		return false;
	if (kaggle_map_find(places->own, name, out))
		return true;
	LOCKED(&places->mutex);
	return kaggle_map_find(places->imported, name, out);
}

/* Under another name nothing comes in that may not under its own. */
static const char *forbidding_rule(const struct kaggle_places *places, const struct name *place)
{
	if (places->deny && handle_globs_match(places->deny, place->handle))
		return "mirror.deny";
	return places->allow && !handle_globs_match(places->allow, place->handle) ? "mirror.allow" : NULL;
}

bool kaggle_places_find(struct kaggle_places *places, const struct name *name, struct name *out)
{
	return find(places, name, out) && !forbidding_rule(places, out);
}

const char *kaggle_places_forbidden(struct kaggle_places *places, const struct name *name, struct name *out)
{
	return find(places, name, out) ? forbidding_rule(places, out) : NULL;
}
