/* SPDX-License-Identifier: Apache-2.0
 *
 * Cleans up behind the scenes: after a start it removes the blobs that no row claims, which a crash between a
 * blob's rename and its row leaves, and what is unpacked of such. Nobody has to wait for it. */
#ifndef SERVER_REGISTRY_JANITOR_H
#define SERVER_REGISTRY_JANITOR_H

#include "common/err.h"
#include "server/registry/keeper.h"

struct janitor;

/* Starts its thread, which begins with a sweep. The keeper must outlive it. destroy takes NULL. */
bool janitor_create(struct keeper *keeper, struct janitor **out, struct err *err);
void janitor_destroy(struct janitor *janitor);

#endif
