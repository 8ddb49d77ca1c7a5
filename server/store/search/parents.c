/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/search/parents.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

void parents_finish(struct parents *parents)
{
	sequence_finish(&parents->by_handle);
	free(parents->items);
	*parents = (struct parents){0};
}

/* What is looked for. */
struct wanted_parent {
	const struct parents *parents;
	const char *handle;
};

static const char *handle_at(const struct parents *parents, uint32_t place)
{
	return parents->items[place].deployments->text;
}

static bool stands_before(const void *context, uint32_t place)
{
	const struct wanted_parent *wanted = context;

	return strcmp(handle_at(wanted->parents, place), wanted->handle) < 0;
}

static struct sequence_place find_place(const struct parents *parents, const char *handle)
{
	const struct wanted_parent wanted = {parents, handle};

	return sequence_find(&parents->by_handle, stands_before, &wanted);
}

void parents_add(struct parents *parents, const struct posting *deployments, uint32_t slot)
{
	struct sequence_place place = find_place(parents, deployments->text);

	MEM_GROW(parents->items, parents->count, parents->capacity);
	parents->items[parents->count] = (struct parent){deployments, slot};
	sequence_insert(&parents->by_handle, place, (uint32_t)parents->count++);
}

struct parent *parents_find(const struct parents *parents, const char *handle)
{
	struct sequence_place place = find_place(parents, handle);
	uint32_t found;

	if (!sequence_read(&parents->by_handle, &place, &found) ||
		strcmp(handle_at(parents, found), handle) != 0)
		return NULL;
	return &parents->items[found];
}
