/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's memory of upstreams that are left alone for a while: what the next process must know of them.
 * Why they are, and for how long, is for others to decide. */
#ifndef SERVER_STORE_CATALOG_CATALOG_COOLDOWNS_H
#define SERVER_STORE_CATALOG_CATALOG_COOLDOWNS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/store/catalog/catalog.h"

struct cooldown {
	struct digest upstream; /* of what makes it that upstream */
	int64_t in_a_row;       /* this one is the n-th, from 1 */
	int64_t until_s;
};

/* Writes an upstream's row in place of the one that it had, and deletes those that are over at now_s. Durable
 * on return. */
bool catalog_note_cooldown(
	struct catalog *catalog, const struct cooldown *cooldown, int64_t now_s, struct err *err);

/* Whether any upstream's is not over at now_s. */
bool catalog_has_cooldowns(struct catalog *catalog, int64_t now_s, bool *has, struct err *err);

/* *found is false where there is none, or it is over at now_s. */
bool catalog_find_cooldown(struct catalog *catalog, const struct digest *upstream, int64_t now_s,
	struct cooldown *out, bool *found, struct err *err);

/* Deletes an upstream's row; none is no error. */
bool catalog_forget_cooldown(struct catalog *catalog, const struct digest *upstream, struct err *err);

#endif
