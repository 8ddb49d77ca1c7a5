/* SPDX-License-Identifier: Apache-2.0
 *
 * What other nodes have kept comes to be on record here: versions whose digests are known, and whose bytes
 * come when somebody asks for them. Some are written in one transaction. For one thread. */
#ifndef SERVER_REGISTRY_HEARSAY_H
#define SERVER_REGISTRY_HEARSAY_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/vault/vault_terms.h"

struct catalog;
struct committer;
struct hearsay;
struct vault;

/* All must outlive it. destroy takes NULL, and lets go of what is not written. */
struct hearsay *hearsay_create(struct vault *vault, struct catalog *catalog, struct committer *committer);
void hearsay_destroy(struct hearsay *hearsay);
AUTO_CLEANER(own_hearsay, struct hearsay *, hearsay_destroy)
#define AUTO_HEARSAY AUTO(own_hearsay)

/* Takes a name that was kept, or published, and finds out what it is where that is not on record; what cannot
 * be is told to the log. False: not now, and what was not written yet may be lost: to be told again. */
bool hearsay_take(
	struct hearsay *hearsay, enum vault_change change, const struct name *name, struct err *err);

/* Whether it is the store that cannot be read, and not what was asked for alone. May wait some seconds. */
bool hearsay_store_is_away(struct vault *vault);

/* Writes what is left. False as above. */
bool hearsay_flush(struct hearsay *hearsay, struct err *err);

#endif
