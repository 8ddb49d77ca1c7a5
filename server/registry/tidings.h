/* SPDX-License-Identifier: Apache-2.0
 *
 * What other nodes change comes to be known here: all of it once after the start and once a day, a part at a
 * time, and the latest every few seconds, also while all is being listed. */
#ifndef SERVER_REGISTRY_TIDINGS_H
#define SERVER_REGISTRY_TIDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct catalog;
struct committer;
struct tidings;
struct vault;

/* Starts its thread; *out is NULL where nothing is shared. All must outlive it. destroy takes NULL, and waits
 * for a request to the store that is under way. */
bool tidings_create(struct vault *vault, struct catalog *catalog, struct committer *committer,
	int64_t poll_interval_s, struct tidings **out, struct err *err);
void tidings_destroy(struct tidings *tidings);
AUTO_CLEANER(own_tidings, struct tidings *, tidings_destroy)
#define AUTO_TIDINGS AUTO(own_tidings)

#endif
