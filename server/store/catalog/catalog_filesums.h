/* SPDX-License-Identifier: Apache-2.0
 *
 * The digests of archives' files that become known when these are unpacked. */
#ifndef SERVER_STORE_CATALOG_CATALOG_FILESUMS_H
#define SERVER_STORE_CATALOG_CATALOG_FILESUMS_H

#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/store/filesums.h"

struct catalog;

/* Writes down those of the listed files of this blob that lack one, some at a time; sums are sorted. A blob
 * that is not known, or not any more, is no error. */
bool catalog_record_filesums(
	struct catalog *catalog, const struct digest *blob, const struct filesums *sums, struct err *err);

#endif
