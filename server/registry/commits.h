/* SPDX-License-Identifier: Apache-2.0
 *
 * Group commit: rows that are to be recorded while another transaction is on its way to the disk go into the
 * next one together, which one of those that wait for them writes. */
#ifndef SERVER_REGISTRY_COMMITS_H
#define SERVER_REGISTRY_COMMITS_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_keep.h"

struct catalog;
struct commits;

/* Both must outlive it; the blobs have a reserve for a full disk. destroy takes NULL; nobody may wait. */
struct commits *commits_create(struct catalog *catalog, struct blobs *blobs);
void commits_destroy(struct commits *commits);
AUTO_CLEANER(own_commits, struct commits *, commits_destroy)
#define AUTO_COMMITS AUTO(own_commits)

/* As catalog_keep: durable on return, or refused alone. ERR_BUSY where another process has the database. */
bool commits_keep(struct commits *commits, const struct keeping *keeping, enum kept *out, struct err *err);

#endif
