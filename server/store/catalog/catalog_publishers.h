/* SPDX-License-Identifier: Apache-2.0
 *
 * Publishers as lists have them. */
#ifndef SERVER_STORE_CATALOG_CATALOG_PUBLISHERS_H
#define SERVER_STORE_CATALOG_CATALOG_PUBLISHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/store/catalog/catalog.h"

struct publisher_row {
	char *name;
	char *display_name;
	int64_t modules;
};
struct publisher_list {
	struct publisher_row *items;
	size_t count;
	int64_t total; /* that match, on all pages */
	bool more;
};
struct publisher_query {
	const char
		*q; /* words that must all occur in the name or the one to display, in any case; NULL: all */
	bool by_modules;   /* those with most first, instead of by name */
	const char *after; /* the name of the last one on the page before; NULL or "": from the start */
	size_t limit;
};
/* Those with an active version; publisher_list_finish() *out. */
bool catalog_list_publishers(struct catalog *catalog, const struct publisher_query *query,
	struct publisher_list *out, struct err *err);
void publisher_list_finish(struct publisher_list *list);

#endif
