/* SPDX-License-Identifier: Apache-2.0
 *
 * What documentation trees have brought beside modules: collections, and what publishers say of themselves.
 */
#ifndef SERVER_STORE_CATALOG_CATALOG_COLLECTIONS_H
#define SERVER_STORE_CATALOG_CATALOG_COLLECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_deployments.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_tags.h"

struct collection_summary {
	char *publisher;
	char *name;
	int64_t version;
	char *description;
	struct tags tags;
	int64_t modules; /* of those that it links to, how many are known */
	int64_t updated_at;
};

struct collection_query {
	const char *q; /* words that must all occur in name, description or tags, in any case; NULL: all */
	const char *publisher; /* NULL: all */
	const char *after;     /* "publisher/name" where the page before ended; "" or NULL: from the start */
	size_t limit;
};

struct collection_list {
	struct collection_summary *items; /* by publisher, then name */
	size_t count;
	int64_t total;
	bool more;
};

/* The caller owns *out: collection_list_finish(). */
bool catalog_list_collections(struct catalog *catalog, const struct collection_query *query,
	struct collection_list *out, struct err *err);
void collection_list_finish(struct collection_list *list);

struct collection_details {
	struct collection_summary summary;
	char *markdown;
	struct module_summary *modules;  /* a page of those that are known, in the collection's order */
	struct deployments *deployments; /* of each module, where they are folded; else empty */
	size_t module_count;
	int64_t next; /* the position where the next page begins; 0: there is none */
};

/* Which of its modules: so many, from a position on. */
struct collection_part {
	int64_t from; /* 0: from the start */
	size_t limit; /* SIZE_MAX: all */
	bool fold;    /* deployments are told of beside what they are deployments of, where both are in it */
};

/* *found is false, and nothing is to be freed, where there is none. */
bool catalog_find_collection(struct catalog *catalog, const char *publisher, const char *name,
	const struct collection_part *part, struct collection_details *out, bool *found, struct err *err);
void collection_details_finish(struct collection_details *details);

struct publisher_details {
	char *name;
	char *display_name; /* the name where there is no other */
	char *icon_url;     /* NULL without one, as the next */
	char *markdown;
	int64_t modules;
	int64_t collections;
};

/* *found is false, and nothing is to be freed, for one that has nothing to show. */
bool catalog_find_publisher(struct catalog *catalog, const char *name, struct publisher_details *out,
	bool *found, struct err *err);
void publisher_details_finish(struct publisher_details *details);

#endif
