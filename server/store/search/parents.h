/* SPDX-License-Identifier: Apache-2.0
 *
 * Handles that modules say they are deployments of, each with those that say so. A parent may come to be
 * known after them, or never. */
#ifndef SERVER_STORE_SEARCH_PARENTS_H
#define SERVER_STORE_SEARCH_PARENTS_H

#include <stddef.h>
#include <stdint.h>

#include "server/store/search/postings.h"
#include "server/store/search/sequence.h"

enum { PARENT_UNKNOWN = UINT32_MAX };

struct parent {
	const struct posting *deployments; /* its text is the parent's handle */
	uint32_t slot;                     /* of the parent, or PARENT_UNKNOWN */
};

/* Zeroed, it is empty. */
struct parents {
	struct parent *items;
	size_t count;
	size_t capacity;
	struct sequence by_handle; /* places of items */
};

void parents_finish(struct parents *parents);

/* One that is none of them yet; the posting must outlive it. */
void parents_add(struct parents *parents, const struct posting *deployments, uint32_t slot);

/* NULL where no module says it is a deployment of it. */
struct parent *parents_find(const struct parents *parents, const char *handle);

#endif
