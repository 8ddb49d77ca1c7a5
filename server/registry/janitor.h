/* SPDX-License-Identifier: Apache-2.0
 *
 * What a start leaves for afterwards, so that nobody has to wait for it: lists are read into memory, and
 * blobs that no row claims, which a crash between a blob's rename and its row leaves, are removed with what
 * is unpacked of them. From then on it has the store scrubbed. */
#ifndef SERVER_REGISTRY_JANITOR_H
#define SERVER_REGISTRY_JANITOR_H

#include "common/err.h"
#include "common/own.h"
#include "server/registry/blob_losses.h"

struct janitor;

/* Starts its thread. What the stores are must outlive it. scrub_days 0: nothing is scrubbed. destroy takes
 * NULL. */
bool janitor_create(
	const struct blob_losses *stores, int64_t scrub_days, struct janitor **out, struct err *err);
void janitor_destroy(struct janitor *janitor);
AUTO_CLEANER(own_janitor, struct janitor *, janitor_destroy)
#define AUTO_JANITOR AUTO(own_janitor)

#endif
