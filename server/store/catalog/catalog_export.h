/* SPDX-License-Identifier: Apache-2.0
 *
 * What an export wants to know of the catalog, a page at a time: which versions there are, what is written of
 * them, and the pages of publishers and collections. */
#ifndef SERVER_STORE_CATALOG_CATALOG_EXPORT_H
#define SERVER_STORE_CATALOG_CATALOG_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

struct export_row {
	char *handle;
	int64_t version;
	enum version_state state;
	int64_t changed_at; /* it, one of its artifacts or its documentation, whichever came last */
};
struct export_rows {
	struct export_row *items; /* by handle (its bytes), then version */
	size_t count;
};
/* Up to limit versions behind `after` ("" and 0: from the start); fewer are the last. export_rows_finish()
 * *out. */
bool catalog_list_exports(struct catalog *catalog, const char *after_handle, int64_t after_version,
	size_t limit, struct export_rows *out, struct err *err);
void export_rows_finish(struct export_rows *rows);

/* What catalog_find_version() does not tell. */
struct export_words {
	char *markdown; /* NULL where there is none */
	char *documented_by;
	int64_t documented_at;
	int64_t updated_at;
	bool listed[FORMAT_COUNT];
};
/* *found is false, and nothing is to be freed, where the version is not known. */
bool catalog_find_export_words(struct catalog *catalog, const struct name *name, struct export_words *out,
	bool *found, struct err *err);
void export_words_finish(struct export_words *words);

enum export_page { EXPORT_PUBLISHERS, EXPORT_COLLECTIONS };
/* The first name ("google", "google/bert") behind `after`, by its bytes, that has a page; *out_name is NULL
 * at the end, else the caller owns it and *out_markdown. */
bool catalog_next_export_page(struct catalog *catalog, enum export_page kind, const char *after,
	char **out_name, char **out_markdown, struct err *err);

#endif
