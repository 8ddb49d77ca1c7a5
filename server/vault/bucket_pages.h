/* SPDX-License-Identifier: Apache-2.0
 *
 * All objects of a bucket below a place, page by page. Each page is read whole before its objects are
 * visited, so that a visit may ask the store for whatever it likes. */
#ifndef SERVER_VAULT_BUCKET_PAGES_H
#define SERVER_VAULT_BUCKET_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/vault/bucket_objects.h"

struct listed_object {
	const char *key;
	int64_t size_bytes;
	int64_t age_s; /* by the store's clock; -1: it does not tell */
};

/* Visits each in the order of keys. A visit that is false ends it: false, with *err set, or true, where it
 * has set *over. */
struct page_visitor {
	bool (*visit)(void *context, const struct listed_object *object, bool *over, struct err *err);
	void *context;
};

bool bucket_pages_walk(const struct bucket_objects *objects, const char *under,
	const struct page_visitor *visitor, struct err *err);

#endif
