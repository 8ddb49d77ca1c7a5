/* SPDX-License-Identifier: Apache-2.0
 *
 * The versions that came or changed last: of everybody, of a publisher, of a module. */
#ifndef SERVER_STORE_CATALOG_CATALOG_NEWEST_H
#define SERVER_STORE_CATALOG_CATALOG_NEWEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/store/catalog/catalog.h"

struct newest_row {
	char *handle;
	int64_t version;
	enum version_source source;
	char *published_by; /* NULL for what was not published */
	char *description;  /* "" */
	int64_t created_at;
	int64_t updated_at;
};
struct newest_list {
	struct newest_row *items; /* the last first */
	size_t count;
};

/* Active versions, at most `limit`. of: "" for all, a publisher, or a handle; of the first two without what
 * is only listed. None where that is not known. newest_list_finish() *out. */
bool catalog_list_newest(
	struct catalog *catalog, const char *of, size_t limit, struct newest_list *out, struct err *err);
void newest_list_finish(struct newest_list *list);

#endif
