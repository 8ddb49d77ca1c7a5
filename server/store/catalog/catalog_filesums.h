/* SPDX-License-Identifier: Apache-2.0
 *
 * The digests of archives' files that become known after these were kept. */
#ifndef SERVER_STORE_CATALOG_CATALOG_FILESUMS_H
#define SERVER_STORE_CATALOG_CATALOG_FILESUMS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/store/filesums.h"

struct catalog;

struct undigested {
	int64_t id; /* of the inspection; 0: there is none */
	struct digest digest;
};

/* Looks for more of them among what was kept before there were any, some at a time; *more: once is not
 * enough. Quick where there are none to be looked for. */
bool catalog_seek_undigested(struct catalog *catalog, bool *more, struct err *err);

/* The next one, by id, behind this id, whose blob is in the store, and whose files' digests nobody has looked
 * for yet. */
bool catalog_find_undigested(
	struct catalog *catalog, int64_t behind_id, struct undigested *out, struct err *err);

/* Writes down those of the listed files of this blob that lack one, some at a time; sums are sorted, and not
 * looked for again. A blob that is not known, or not any more, is no error. */
bool catalog_record_filesums(
	struct catalog *catalog, const struct digest *blob, const struct filesums *sums, struct err *err);

#endif
