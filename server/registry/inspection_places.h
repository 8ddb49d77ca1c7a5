/* SPDX-License-Identifier: Apache-2.0
 *
 * How many files that are small and wholly there are examined at once: a few kilobytes may list what takes
 * megabytes of memory, and a burst of them is not to take all of it. First come, first served. What is larger
 * is examined while it comes, and has no place: at a slow pace it would hold it. */
#ifndef SERVER_REGISTRY_INSPECTION_PLACES_H
#define SERVER_REGISTRY_INSPECTION_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

/* An examination takes up to 4 MiB; 64 MiB are granted to all that have a place. */
enum { INSPECTION_PLACES = 16, INSPECTION_SMALL_BYTES = 512 << 10, INSPECTION_PATIENCE_MS = 60 * 1000 };

struct inspection_places;

/* Who waits does so for patience_ms at most. destroy takes NULL; nobody may have a place or wait for one
 * then. */
struct inspection_places *inspection_places_create(int64_t patience_ms);
void inspection_places_destroy(struct inspection_places *places);
AUTO_CLEANER(own_inspection_places, struct inspection_places *, inspection_places_destroy)
#define AUTO_INSPECTION_PLACES AUTO(own_inspection_places)

/* Waits for a place. ERR_BUSY: there was none in all that time; who went on without would take memory that
 * others are granted. */
bool inspection_places_enter(struct inspection_places *places, struct err *err);
void inspection_places_leave(struct inspection_places *places);

#endif
