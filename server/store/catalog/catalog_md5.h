/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's side of what is computed after a blob was kept: which blobs lack their MD5, and what it is.
 */
#ifndef SERVER_STORE_CATALOG_MD5_H
#define SERVER_STORE_CATALOG_MD5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/store/catalog/catalog.h"

struct blob_md5 {
	int64_t id; /* the row's */
	struct digest digest;
	int64_t size_bytes;
	bool known;
	uint8_t md5[16];
};

/* The blobs in the store that lack their MD5, by id, from behind this id on; at most limit of them. */
bool catalog_list_without_md5(struct catalog *catalog, int64_t behind_id, size_t limit, struct blob_md5 *out,
	size_t *count, struct err *err);

/* Writes down those that are known, in one transaction. */
bool catalog_record_md5(struct catalog *catalog, const struct blob_md5 *items, size_t count, struct err *err);

#endif
