/* SPDX-License-Identifier: Apache-2.0
 *
 * Download counters: downloads are counted in memory and written to the catalog in batches, so that a hit
 * costs no transaction. What was counted is written at the latest when they are destroyed. */
#ifndef SERVER_REGISTRY_DOWNLOAD_COUNTERS_H
#define SERVER_REGISTRY_DOWNLOAD_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"

struct catalog;
struct download_counters;

/* Starts its thread. The catalog must outlive it. destroy writes what is left; takes NULL. */
bool download_counters_create(struct catalog *catalog, struct download_counters **out, struct err *err);
void download_counters_destroy(struct download_counters *counters);
AUTO_CLEANER(own_download_counters, struct download_counters *, download_counters_destroy)
#define AUTO_DOWNLOAD_COUNTERS AUTO(own_download_counters)

/* What else is to be written now and then, on the counters' thread: until they are destroyed. */
struct counters_beside {
	void (*write)(void *context);
	void *context;
};
void download_counters_write_beside(struct download_counters *counters, const struct counters_beside *beside);

/* Counts one download. Never blocks for the database. */
void download_counters_count(struct download_counters *counters, const struct name *name);

/* It was used, and not downloaded as a whole: evicted after what was not. Never blocks for the database. */
void download_counters_touch(struct download_counters *counters, const struct name *name);

/* The count of one artifact, for who counts the same one again and again: download_counter_add takes no lock.
 * To be released before the counters are destroyed. */
struct download_counter;
struct download_counter *download_counters_open(struct download_counters *counters, const struct name *name);
void download_counter_add(struct download_counter *counter);
void download_counter_release(struct download_counter *counter);
AUTO_CLEANER(own_download_counter, struct download_counter *, download_counter_release)
#define AUTO_DOWNLOAD_COUNTER AUTO(own_download_counter)

#endif
