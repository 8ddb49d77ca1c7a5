/* SPDX-License-Identifier: Apache-2.0
 *
 * Modules as lists have them, and how many there are of everything. */
#ifndef SERVER_STORE_CATALOG_CATALOG_LISTING_H
#define SERVER_STORE_CATALOG_CATALOG_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_tags.h"

enum { SUMMARY_VERSIONS_MAX = 200 };

struct module_summary {
	char *handle;
	char *description;      /* "" where there is none */
	int64_t latest_version; /* the highest active one */
	int64_t *versions;      /* active ones, ascending; of very many the highest */
	size_t version_count;
	int64_t active_count; /* of all versions that are active */
	struct tags tags;     /* of the newest documented version with a head, as is the description; of the
				 latest are formats, source, cached and size */
	bool formats[FORMAT_COUNT]; /* of artifacts, and those that documentation tells of */
	enum version_source source;
	bool cached;
	int64_t size_bytes;
	int64_t downloads; /* of all versions */
	int64_t updated_at;
};

void module_summary_finish(struct module_summary *summary);

/* One module as a list has it; *found is false, and nothing is to be freed, where it has no active version.
 */
bool catalog_find_module(struct catalog *catalog, const char *handle, struct module_summary *out, bool *found,
	struct err *err);

struct catalog_totals {
	int64_t modules;
	int64_t versions; /* active */
	int64_t artifacts;
	int64_t cached_artifacts;
	int64_t blobs; /* in the store */
	int64_t blob_bytes;
	int64_t downloads;
};
bool catalog_count(struct catalog *catalog, struct catalog_totals *out, struct err *err);

#endif
