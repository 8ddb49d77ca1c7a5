/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/search/families.h"

#include "server/store/search/parents.h"

/* How many times as many are looked at as are wanted. */
enum { LOOKED_AT = 8 };

/* ---- walking deployments ---- */

struct walk {
	const struct sequence *slots;
	struct sequence_place place;
};

static struct walk walk_deployments(const struct parent *parent)
{
	return (struct walk){.slots = &parent->deployments->slots};
}

static bool walk_next(struct walk *walk, uint32_t *out)
{
	if (!sequence_read(walk->slots, &walk->place, out))
		return false;
	sequence_step(walk->slots, &walk->place);
	return true;
}

/* ---- folding ---- */

static bool is_listed(const struct module_index *index, const struct parent *parent)
{
	return parent->slot != PARENT_UNKNOWN && module_index_is_listed(index, parent->slot);
}

/* All whose parent is listed. */
static struct slots find_deployments(const struct module_index *index)
{
	const struct parents *parents = module_index_parents(index);
	struct slots set = slots_init(module_index_slots(index));

	for (size_t i = 0; i < parents->count; i++) {
		struct walk walk = walk_deployments(&parents->items[i]);
		uint32_t slot;

		while (is_listed(index, &parents->items[i]) && walk_next(&walk, &slot)) {
			if (slot != parents->items[i].slot)
				slots_add(&set, slot);
		}
	}
	return set;
}

static size_t rank_of(size_t slot, const struct slots *ranks, size_t rank_count)
{
	size_t rank = 0;

	while (rank < rank_count && !slots_have(&ranks[rank], slot))
		rank++;
	return rank;
}

static void fold_family(const struct parent *parent, const struct slots *set, const struct slots *ranks,
	size_t rank_count, struct slots *out)
{
	size_t rank = rank_of(parent->slot, ranks, rank_count);
	struct walk walk = walk_deployments(parent);
	uint32_t slot;

	while (walk_next(&walk, &slot)) {
		if (slot != parent->slot && slots_have(set, slot) && rank <= rank_of(slot, ranks, rank_count))
			slots_add(out, slot);
	}
}

struct slots families_fold(const struct module_index *index, const struct slots *set,
	const struct slots *ranks, size_t rank_count)
{
	const struct parents *parents = module_index_parents(index);
	AUTO_SLOTS struct slots deployments = find_deployments(index);
	struct slots folded = slots_init(module_index_slots(index));

	for (size_t i = 0; i < parents->count; i++) {
		const struct parent *parent = &parents->items[i];

		if (is_listed(index, parent) && slots_have(set, parent->slot) &&
			!slots_have(&deployments, parent->slot))
			fold_family(parent, set, ranks, rank_count, &folded);
	}
	return folded;
}

/* ---- one family ---- */

size_t families_list(const struct module_index *index, size_t slot, size_t *out, size_t max, size_t *total)
{
	const struct parent *parent =
		parents_find(module_index_parents(index), module_index_handle(index, slot));
	size_t found = 0, looks = 0;
	struct walk walk;
	uint32_t deployment;

	*total = parent ? parent->deployments->slots.count : 0;
	if (!parent)
		return 0;
	walk = walk_deployments(parent);
	while (found < max && looks++ < max * LOOKED_AT && walk_next(&walk, &deployment)) {
		if (deployment != slot && module_index_is_listed(index, deployment))
			out[found++] = deployment;
		else
			--*total;
	}
	return found;
}
