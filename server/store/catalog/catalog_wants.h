/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's side of the want list: what was asked for offline and is not here. */
#ifndef SERVER_STORE_CATALOG_CATALOG_WANTS_H
#define SERVER_STORE_CATALOG_CATALOG_WANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

/* WANTS_MAX rows, of which a client has a part that it was the first to ask for. Beyond that goes what was
 * asked for least often, and of that what was asked for longest ago. */
enum { WANTS_MAX = 10000, WANTS_OF_A_CLIENT = 1000 };

struct want {
	struct name name;
	int64_t times;
	int64_t last_at;
	struct digest asker; /* what tells clients apart; not read back */
};

/* Adds to what is wanted, in one transaction. */
bool catalog_add_wants(struct catalog *catalog, const struct want *wants, size_t count, struct err *err);

struct want_list {
	struct want *items; /* by handle, version, format */
	size_t count;
	int64_t total; /* on all pages */
	bool more;
};
/* What is wanted and has not come since, up to limit behind a name (NULL: from the start); free() the
 * items. */
bool catalog_list_wants(struct catalog *catalog, const struct name *after, size_t limit,
	struct want_list *out, struct err *err);

/* How many that are. */
bool catalog_count_wants(struct catalog *catalog, int64_t *out, struct err *err);

/* Forgets all of them, of which there were so many. ERR_BUSY where another process has the database, soon. */
bool catalog_clear_wants(struct catalog *catalog, int64_t *out_count, struct err *err);

#endif
