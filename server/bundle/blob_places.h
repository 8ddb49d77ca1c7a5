/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the blobs of a tar lie. However many there are, memory does not grow: the table is in a file that has
 * no name, and whose pages the kernel may write out. */
#ifndef SERVER_BUNDLE_BLOB_PLACES_H
#define SERVER_BUNDLE_BLOB_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "server/bundle/scratch.h"

struct blob_places;

/* The place of the table's file is copied. close takes NULL. */
bool blob_places_open(const struct scratch_place *scratch, struct blob_places **out, struct err *err);
void blob_places_close(struct blob_places *places);
AUTO_CLEANER(own_blob_places, struct blob_places *, blob_places_close)

/* *is_new is false, and nothing is changed, where the digest is there already. ERR_NO_SPACE. */
bool blob_places_add(struct blob_places *places, const struct digest *digest, int64_t offset,
	int64_t size_bytes, bool *is_new, struct err *err);

bool blob_places_find(
	const struct blob_places *places, const struct digest *digest, int64_t *offset, int64_t *size_bytes);

#endif
