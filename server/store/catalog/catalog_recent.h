/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's side of what has happened lately: the artifacts that came here last. */
#ifndef SERVER_STORE_CATALOG_CATALOG_RECENT_H
#define SERVER_STORE_CATALOG_CATALOG_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

struct recent_row {
	struct name name;
	enum version_source source;
	char *published_by; /* NULL for what was mirrored */
	int64_t at;
};

/* The artifacts of active versions that came here last, newest first, whether their bytes were new or not;
 * the caller owns *out. */
bool catalog_list_recent(
	struct catalog *catalog, size_t limit, struct recent_row **out, size_t *count, struct err *err);
void recent_rows_destroy(struct recent_row *rows, size_t count);

#endif
