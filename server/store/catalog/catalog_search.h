/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's lists of modules: searched, filtered, sorted, counted, page by page. What they need is read
 * into memory once and follows the database from then on, whoever writes to it. */
#ifndef SERVER_STORE_CATALOG_CATALOG_SEARCH_H
#define SERVER_STORE_CATALOG_CATALOG_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_deployments.h"
#include "server/store/search/module_index.h"

bool facet_parse(const char *name, enum facet *out);
/* "name", "downloads", "updated", "size", "trending", "relevance". */
bool module_sort_parse(const char *name, enum module_sort *out);

struct module_filter {
	enum facet facet;
	const char *value; /* as facet_names tells: of dtypes the number, of tensorflow_version a prefix */
};

struct module_query {
	/* At most 16 words, which must all be found in handle, description, tags or documentation; of the
	 * last one its beginning is enough. NULL, or no word: all. */
	const char *q;
	const char *handle; /* the module that q names, which comes first; NULL: it names none */
	const struct module_filter *filters; /* of each facet one must hold; of every facet that is named */
	size_t filter_count;
	enum module_sort sort; /* relevance without words is by name */
	const char *after;     /* what `next` of the page before said; NULL or "": from the start */
	size_t limit;
	int64_t min_size; /* in bytes, of what is known to have a size; 0: any */
	int64_t max_size;
	bool facets; /* count values */
	bool fold;   /* deployments have no row beside what they are deployments of: each row tells of some */
	/* Which values to count, by what is asked for; NULL: all. */
	bool (*is_counted)(const void *context, enum facet facet, const char *value);
	const void *context;
};

enum { FACET_VALUES_MAX = 50 };

struct facet_row {
	char *value;
	int64_t count;
};

struct facet_rows {
	struct facet_row *rows; /* most frequent first */
	size_t count;
	size_t total; /* of values that were to be counted, whether they are among the rows or not */
};

struct module_list {
	struct module_summary *items;
	struct deployments *deployments; /* of each item, where the list is folded */
	size_t count;
	int64_t total;   /* that match, on all pages, whether they have a row or not */
	bool has_handle; /* the module that q named is listed */
	char *meant;     /* words that q may have meant, and that find more; NULL */
	char *next;      /* where the page behind this one begins: printable ASCII; NULL on the last page */
	/* Of all that match; each without regard to its own filter. Empty unless asked for. */
	struct facet_rows facets[FACETS_COUNTED];
};

/* The caller owns *out: module_list_finish(). ERR_BAD_REQUEST for a q of too many words and an `after` that
 * is none. */
bool catalog_list_modules(
	struct catalog *catalog, const struct module_query *query, struct module_list *out, struct err *err);
void module_list_finish(struct module_list *list);

/* Reads into memory what lists need, so that the first of them need not wait for it. */
bool catalog_warm(struct catalog *catalog, struct err *err);

#endif
