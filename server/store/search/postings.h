/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of a facet, each with the modules that have it. */
#ifndef SERVER_STORE_SEARCH_POSTINGS_H
#define SERVER_STORE_SEARCH_POSTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/store/search/sequence.h"
#include "server/store/search/slots.h"

struct posting {
	char *text;
	struct sequence slots; /* in ascending order */
};

/* Zeroed, it is empty. */
struct postings {
	struct posting **items;
	size_t count;
	size_t capacity;
};

void postings_finish(struct postings *postings);

/* A value that is none of them yet; it stays where it is. */
struct posting *postings_append(struct postings *postings, const char *text);

/* False where it is there already. */
bool posting_add(struct posting *posting, uint32_t slot);
void posting_remove(struct posting *posting, uint32_t slot);

/* Adds all that have it to a set; counts those of a set that have it. */
void posting_unite(const struct posting *posting, struct slots *out);
int64_t posting_count(const struct posting *posting, const struct slots *set);

#endif
