/* SPDX-License-Identifier: Apache-2.0
 *
 * What documentation says of a version in its head. */
#ifndef SERVER_STORE_CATALOG_CATALOG_TAGS_H
#define SERVER_STORE_CATALOG_CATALOG_TAGS_H

#include <stddef.h>

/* What documentation says of a version: task, dataset, language, architecture, license, fine_tunable … */
struct tag {
	char *kind;
	char *value;
};
struct tags {
	struct tag *items; /* by kind, then value */
	size_t count;
};
void tags_finish(struct tags *tags);

#endif
