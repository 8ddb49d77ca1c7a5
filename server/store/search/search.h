/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the index in memory as the database is: read once, then changed by what changed, whoever wrote it. */
#ifndef SERVER_STORE_SEARCH_SEARCH_H
#define SERVER_STORE_SEARCH_SEARCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/lock.h"
#include "common/own.h"
#include "server/store/db.h"
#include "server/store/search/module_index.h"
#include "server/store/search/search_terms.h"

struct search {
	struct lock
		following; /* guards who brings the index further: one thread at a time, without the lock */
	pthread_cond_t followed;
	bool busy;
	int waiting; /* so many wait for that one */
	struct rwlock
		lock; /* guards index and revision; terms have their own, but are cleared under this one */
	struct module_index *index; /* NULL until it is first needed */
	int64_t revision;           /* of the database that the index equals */
	struct terms *terms;
	_Atomic bool
		far; /* that takes a while: others take the index as it is. True is set under following */
	_Atomic int64_t built;  /* how often all was read anew */
	_Atomic int64_t behind; /* how often somebody took the index as it was */
};

struct search *search_create(void);
void search_destroy(struct search *search);
AUTO_CLEANER(own_search, struct search *, search_destroy)
#define AUTO_SEARCH AUTO(own_search)

/* Begins a snapshot that the index equals, and holds the lock for reading; search_end() lets go of the lock,
 * the caller ends the transaction. Whoever comes while another thread follows very many changes is not held
 * up by that: for him the index may be older than the snapshot. */
bool search_begin(struct search *search, struct db *db, struct txn **out, struct err *err);
void search_end(struct search *search);

/* What search_begin does with the index meanwhile: false where another thread is at it and has far to go;
 * else it is the caller's until end. Whether it is far is found out on the way. */
bool search_begin_following(struct search *search);
void search_set_far(struct search *search, bool far);
void search_end_following(struct search *search);

#endif
