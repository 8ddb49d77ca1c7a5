/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose a handle is, by what is known of it; and which known handles people take it for. */
#ifndef SERVER_STORE_CATALOG_CATALOG_RESEMBLANCE_H
#define SERVER_STORE_CATALOG_CATALOG_RESEMBLANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

enum handle_owner {
	OWNER_UNKNOWN,  /* nothing is known of it */
	OWNER_UPSTREAM, /* what is known of it was mirrored, or is listed */
	OWNER_SITE      /* a version of it was published here */
};

bool catalog_find_owner(struct catalog *catalog, const char *handle, enum handle_owner *out, struct err *err);

/* Whether any of the publisher's modules, of which a thousand are looked at, is an upstream's. */
bool catalog_is_of_upstream(struct catalog *catalog, const char *publisher, bool *out, struct err *err);

/* A handle, or a publisher, as it looks: capitals are small, "_" and "." are "-", 0 is o, 1 and i are l, rn
 * is m, vv is w. As the table "looks" has it. */
struct look {
	char text[NAME_PATH_MAX + 1];
};
struct look look_of(const char *name);

enum { LOOKALIKES_MAX = 3 };

/* Known handles that look as this one does, which is not known itself, or have one letter more, less or
 * another, or two of them exchanged; then known publishers, where this one's is new. A digit makes a
 * difference that people see, and so does a letter of a word of three. At most LOOKALIKES_MAX. */
struct lookalikes {
	char names[LOOKALIKES_MAX][NAME_PATH_MAX + 1];
	size_t count;
};
bool catalog_find_lookalikes(
	struct catalog *catalog, const char *handle, struct lookalikes *out, struct err *err);

/* Looks at so many of the handles that were here before a release that knew of looks; *more: there are
 * others. Where all were looked at it writes nothing of note. */
bool catalog_look_at_old(struct catalog *catalog, int64_t count, bool *more, struct err *err);

#endif
