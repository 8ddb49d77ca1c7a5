/* SPDX-License-Identifier: Apache-2.0
 *
 * What one word of a search finds, by how good a hit it is. The answers to common words are large and asked
 * for again with each letter that somebody types, so the last ones are kept. */
#ifndef SERVER_STORE_SEARCH_SEARCH_TERMS_H
#define SERVER_STORE_SEARCH_SEARCH_TERMS_H

#include <stdbool.h>

#include "common/own.h"
#include "server/store/db.h"
#include "server/store/search/module_index.h"

/* From the best hits on; each includes those before it. */
enum tier { TIER_NAME, TIER_IN_NAME, TIER_ABOUT, TIER_ANYWHERE, TIER_COUNT };

struct term {
	char *word;
	bool is_prefix;
	struct slots tiers[TIER_COUNT];
	unsigned uses; /* the terms' own, as is the next */
	uint64_t used_at;
};

struct terms;

struct terms *terms_create(void);
void terms_destroy(struct terms *terms);
AUTO_CLEANER(own_terms, struct terms *, terms_destroy)
#define AUTO_TERMS AUTO(own_terms)

/* Drops what is kept: the texts, or the index's slots, have changed. No term may be out. */
void terms_clear(struct terms *terms);

/* What a word (not empty, UTF-8) finds in handle, description and tags, and documentation; one letter alone
 * is not looked for in documentation. is_prefix: words that begin with it, too. The handle has it anywhere.
 * terms_release() *out. */
bool terms_find(struct terms *terms, const struct module_index *index, struct txn *txn, const char *word,
	bool is_prefix, struct term **out, struct err *err);
void terms_release(struct terms *terms, struct term *term);

#endif
