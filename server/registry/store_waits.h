/* SPDX-License-Identifier: Apache-2.0
 *
 * How many of the workers that answer requests may wait for what nodes share at once: no more than half of
 * them, so that a store that is silent leaves the rest to all who need nothing of it. */
#ifndef SERVER_REGISTRY_STORE_WAITS_H
#define SERVER_REGISTRY_STORE_WAITS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

struct store_waits;

/* Half of so many workers, and one at least. destroy takes NULL; nobody may be inside then. */
struct store_waits *store_waits_create(size_t workers);
void store_waits_destroy(struct store_waits *waits);
AUTO_CLEANER(own_store_waits, struct store_waits *, store_waits_destroy)
#define AUTO_STORE_WAITS AUTO(own_store_waits)

/* Takes a place, to be given back. Where all are taken it is waited for one for a moment, as long as the
 * store answers: ERR_STORE_UNAVAILABLE at once where somebody has waited for it longer than that. */
bool store_waits_enter(struct store_waits *waits, size_t *place, struct err *err);

/* The same without waiting, for who can do without. */
bool store_waits_try(struct store_waits *waits, size_t *place);

void store_waits_leave(struct store_waits *waits, size_t place);

#endif
