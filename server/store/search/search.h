/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the index in memory as the database is: read once, then changed by what changed, whoever wrote it. */
#ifndef SERVER_STORE_SEARCH_SEARCH_H
#define SERVER_STORE_SEARCH_SEARCH_H

#include <stdint.h>

#include "common/lock.h"
#include "server/store/db.h"
#include "server/store/search/module_index.h"
#include "server/store/search/search_terms.h"

struct search {
	struct rwlock
		lock; /* guards index and revision; terms have their own, but are cleared under this one */
	struct module_index *index; /* NULL until it is first needed */
	int64_t revision;           /* of the database that the index equals */
	struct terms *terms;
};

struct search *search_create(void);
void search_destroy(struct search *search);

/* Begins a snapshot that the index equals, and holds the lock for reading; search_end() lets go of the lock,
 * the caller ends the transaction. */
bool search_begin(struct search *search, struct db *db, struct txn **out, struct err *err);
void search_end(struct search *search);

#endif
