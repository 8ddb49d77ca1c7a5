/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/damage.h"

#include <stdlib.h>

#include "common/mem.h"

void damages_init(struct damages *damages, const struct scratch_place *scratch)
{
	*damages = (struct damages){0};
	digest_set_init(&damages->digests, scratch);
}

void damages_finish(struct damages *damages)
{
	for (size_t i = 0; i < damages->named; i++) {
		free(damages->items[i].what);
		free(damages->items[i].why);
	}
	free(damages->items);
	digest_set_finish(&damages->digests);
	*damages = (struct damages){0};
}

bool damages_add(struct damages *damages, const struct digest *digest, const char *what, const char *why,
	struct err *err)
{
	bool is_new;

	if (!digest_set_add(&damages->digests, digest, &is_new, err))
		return false;
	damages->count++;
	if (damages->named == DAMAGES_NAMED_MAX)
		return true;
	damages->items = mem_resize(damages->items, damages->named + 1, sizeof *damages->items);
	damages->items[damages->named++] = (struct damage){mem_dup(what), mem_dup(why)};
	return true;
}

bool damages_has(const struct damages *damages, const struct digest *digest)
{
	return digest_set_has(&damages->digests, digest);
}
