/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog: what is known of publishers, modules, versions, artifacts and tokens. The SQL is in its
 * rooms, which have a header a subject; only the search reads the database for itself. Their functions may be
 * called from any thread, and wait for nothing but the database. Times are seconds since 1970. */
#ifndef SERVER_STORE_CATALOG_CATALOG_H
#define SERVER_STORE_CATALOG_CATALOG_H

#include <stdbool.h>

struct catalog;

enum version_source { SOURCE_PUBLISHED, SOURCE_MIRRORED, SOURCE_LISTED, SOURCE_COUNT };
enum version_state { STATE_ACTIVE, STATE_WITHDRAWN, STATE_QUARANTINED, STATE_COUNT };
const char *version_source_name(enum version_source source); /* "published" … */
const char *version_state_name(enum version_state state);    /* "active" … */
bool version_source_parse(const char *name, enum version_source *out);
bool version_state_parse(const char *name, enum version_state *out);

#endif
