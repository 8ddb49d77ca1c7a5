/* SPDX-License-Identifier: Apache-2.0
 *
 * Webhooks: programs that are told of what happens here. What is to be told waits in the catalog, where it
 * was written with what it tells of; a thread for each receiver sends it, again and again where that has to
 * be. Nobody waits for a receiver, neither a request nor another receiver. */
#ifndef SERVER_REGISTRY_WEBHOOKS_H
#define SERVER_REGISTRY_WEBHOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct catalog;
struct config;
struct failed_fills;
struct webhooks;

/* Tells the catalog which there are, and starts their threads. The configuration and the catalog must outlive
 * it. destroy ends what is being sent within a second; takes NULL. */
bool webhooks_create(
	struct catalog *catalog, const struct config *config, struct webhooks **out, struct err *err);
void webhooks_destroy(struct webhooks *webhooks);
AUTO_CLEANER(own_webhooks, struct webhooks *, webhooks_destroy)
#define AUTO_WEBHOOKS AUTO(own_webhooks)

/* Where fills that failed are noted for them; NULL: none wants to know. It lives as long as they do. */
struct failed_fills *webhooks_failed_fills(struct webhooks *webhooks);

/* How long an event waits after so many attempts, in seconds; 0: it is given up. Four times as long as the
 * time before, up to six hours, for three days in all. */
int64_t webhook_wait_s(int64_t attempts);

#endif
