/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/wants.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/ranks.h"
#include "server/store/catalog/catalog_wants.h"

static const struct lock_place lock_place = {"wants", RANK_WANTS};

/* Names that are noted until the next writing, and those of them that are one client's. */
enum { NOTES_MAX = 1024, NOTES_OF_A_CLIENT = 128 };

struct notes {
	struct want items[NOTES_MAX];
	size_t count;
};

struct wants {
	struct lock mutex; /* guards notes */
	struct notes *notes;
	struct catalog *catalog;
};

struct wants *wants_create(struct catalog *catalog)
{
	struct wants *wants = mem_zero(1, sizeof *wants);

	lock_init(&wants->mutex, &lock_place);
	wants->notes = mem_zero(1, sizeof *wants->notes);
	wants->catalog = catalog;
	return wants;
}

static struct want *find(struct notes *notes, const struct name *name)
{
	for (size_t i = 0; i < notes->count; i++) {
		if (name_equals(&notes->items[i].name, name))
			return &notes->items[i];
	}
	return NULL;
}

static bool has_room(const struct notes *notes, const struct digest *asker)
{
	size_t theirs = 0;

	for (size_t i = 0; i < notes->count; i++)
		theirs += digest_equal(&notes->items[i].asker, asker);
	return notes->count < NOTES_MAX && theirs < NOTES_OF_A_CLIENT;
}

/* Several notes of one name are one. */
static void add(struct wants *wants, const struct want *want)
{
	struct notes *notes = wants->notes;
	struct want *known = find(notes, &want->name);

	lock_expect(&wants->mutex);
	if (known) {
		known->times += want->times;
		known->last_at = want->last_at > known->last_at ? want->last_at : known->last_at;
	} else if (has_room(notes, &want->asker)) {
		notes->items[notes->count++] = *want;
	}
}

void wants_note(struct wants *wants, const struct name *name, const char *client)
{
	const struct want want = {*name, 1, clock_now_s(), digest_of(client, strlen(client))};
	LOCKED(&wants->mutex);

	add(wants, &want);
}

static struct notes *take(struct wants *wants)
{
	LOCKED(&wants->mutex);
	struct notes *taken = wants->notes;

	wants->notes = mem_zero(1, sizeof *wants->notes);
	return taken;
}

static void put_back(struct wants *wants, const struct notes *notes)
{
	LOCKED(&wants->mutex);

	for (size_t i = 0; i < notes->count; i++)
		add(wants, &notes->items[i]);
}

static bool is_empty(struct wants *wants)
{
	LOCKED(&wants->mutex);

	return wants->notes->count == 0;
}

bool wants_write(struct wants *wants, struct err *err)
{
	AUTO_FREE struct notes *notes = NULL;

	if (is_empty(wants))
		return true;
	notes = take(wants);
	if (catalog_add_wants(wants->catalog, notes->items, notes->count, err))
		return true;
	put_back(wants, notes);
	return false;
}

void wants_drop(struct wants *wants)
{
	free(take(wants));
}

void wants_destroy(struct wants *wants)
{
	struct err err;

	if (!wants)
		return;
	if (!wants_write(wants, &err))
		log_event(LOG_LEVEL_WARN, "what was wanted is not written down", "why", err.text, NULL);
	lock_finish(&wants->mutex);
	free(wants->notes);
	free(wants);
}
