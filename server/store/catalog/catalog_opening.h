/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens the catalog, and tells whether it can serve. */
#ifndef SERVER_STORE_CATALOG_CATALOG_OPENING_H
#define SERVER_STORE_CATALOG_CATALOG_OPENING_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"

struct catalog;

/* Opens or creates data_dir/larder.db and brings its schema up to date, in one transaction a migration. A
 * database of a newer Larder is refused. close takes NULL. */
bool catalog_open(const char *data_dir, struct catalog **out, struct err *err);
void catalog_close(struct catalog *catalog);
AUTO_CLEANER(own_catalog, struct catalog *, catalog_close)
#define AUTO_CATALOG AUTO(own_catalog)

/* Writes something small, unless another thread is writing: whether the database can serve. */
bool catalog_check(struct catalog *catalog, struct err *err);

/* Reads all of the database of a data folder, and changes nothing: db_soundness_check(). */
bool catalog_examine(const char *data_dir, struct err *err);

/* Whether no other process is writing just now. */
bool catalog_is_free(struct catalog *catalog);

#endif
