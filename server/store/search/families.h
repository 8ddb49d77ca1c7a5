/* SPDX-License-Identifier: Apache-2.0
 *
 * What lists show as one: a module, and its deployments in other formats. */
#ifndef SERVER_STORE_SEARCH_FAMILIES_H
#define SERVER_STORE_SEARCH_FAMILIES_H

#include <stddef.h>

#include "server/store/search/module_index.h"
#include "server/store/search/slots.h"

/* Those of the set that go without a row of their own: deployments whose parent is in the set, and in a rank
 * that is no worse than theirs; each rank includes those before it, and there may be none. What is a
 * deployment itself is nobody's parent, so that of any family somebody has a row. The caller's to finish.
 * Costs as much as there are deployments. */
struct slots families_fold(const struct module_index *index, const struct slots *set,
	const struct slots *ranks, size_t rank_count);

/* The first deployments of a module that are listed, max at most; returns how many it wrote. *total: how many
 * say that they are some, but for those that were found not to be listed. Costs no more than a few times max.
 */
size_t families_list(const struct module_index *index, size_t slot, size_t *out, size_t max, size_t *total);

#endif
