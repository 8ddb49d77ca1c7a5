/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose index the catalog is: of its own folder, which has everything, or of a bucket that nodes share. What
 * the bucket may not have must never be taken for what it has. */
#ifndef SERVER_STORE_CATALOG_CATALOG_STORE_H
#define SERVER_STORE_CATALOG_CATALOG_STORE_H

#include <stdbool.h>

#include "common/err.h"
#include "server/store/catalog/catalog.h"

enum { STORE_ID_MAX = 64 };

struct store_id {
	char text[STORE_ID_MAX + 1]; /* empty: the folder's own */
};

bool catalog_find_store(struct catalog *catalog, struct store_id *out, struct err *err);

/* Notes that the bucket with this id has all that is known here. No daemon may be running on the folder,
 * which could take more. Nothing may be evicted for that yet. */
bool catalog_note_store(struct catalog *catalog, const struct store_id *store, struct err *err);

/* Before a daemon serves from here, over a bucket, which the catalog belongs to from then on: what was
 * published counts among what is mirrored, and may be evicted; or over none (empty). ERR_CONFLICT, with what
 * to do, where modules are here that this bucket may not have. Quick where nothing changes. */
bool catalog_belong_to(struct catalog *catalog, const struct store_id *store, struct err *err);

#endif
