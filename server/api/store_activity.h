/* SPDX-License-Identifier: Apache-2.0
 *
 * How a node does with what it shares with others: its store, leases, and the nodes that it follows. */
#ifndef SERVER_API_STORE_ACTIVITY_H
#define SERVER_API_STORE_ACTIVITY_H

#include <jansson.h>

#include "server/registry/services.h"

/* JSON's null where it shares nothing. */
json_t *store_activity_json(const struct services *services);

#endif
