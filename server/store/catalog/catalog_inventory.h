/* SPDX-License-Identifier: Apache-2.0
 *
 * What is on record of many versions at once, and no more than tells their bytes. */
#ifndef SERVER_STORE_CATALOG_CATALOG_INVENTORY_H
#define SERVER_STORE_CATALOG_CATALOG_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

struct inventory_artifact {
	enum format format;
	struct digest digest;
	int64_t size_bytes;
	bool cached; /* the blob is in the store */
	enum version_state state;
};

struct inventory_row {
	bool found; /* the version is known, also where it was withdrawn */
	enum version_state state;
	struct inventory_artifact artifacts[FORMAT_COUNT];
	size_t artifact_count;
};

/* Fills a row for each name, whose format does not count, out of one snapshot. */
bool catalog_take_inventory(struct catalog *catalog, const struct name *names, size_t count,
	struct inventory_row *out, struct err *err);

#endif
