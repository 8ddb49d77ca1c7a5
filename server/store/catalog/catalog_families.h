/* SPDX-License-Identifier: Apache-2.0
 *
 * What a row of a folded list tells of a module's deployments: found in the index, read once its lock is let
 * go. For the catalog alone. */
#ifndef SERVER_STORE_CATALOG_CATALOG_FAMILIES_H
#define SERVER_STORE_CATALOG_CATALOG_FAMILIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct deployments;
struct module_index;
struct txn;

enum { FAMILY_MAX = 6 };

struct family {
	int64_t ids[FAMILY_MAX];
	size_t count;
	size_t total; /* also those that have no room here */
};

/* Under the index's lock. */
struct family family_find(const struct module_index *index, size_t slot);

/* The latest versions of these; *out must be empty, and is the caller's to finish, also on failure. */
bool family_load(struct txn *txn, const struct family *family, struct deployments *out, struct err *err);

#endif
