/* SPDX-License-Identifier: Apache-2.0
 *
 * Pins that count on all nodes. */
#ifndef SERVER_REGISTRY_SHARED_PINS_H
#define SERVER_REGISTRY_SHARED_PINS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"

struct catalog;
struct vault;

/* Pins a pattern (catalog_pin) on all nodes, and then here. *added is false where it was pinned. */
bool shared_pins_add(struct vault *vault, struct catalog *catalog, const char *pattern, int64_t now_s,
	bool *added, struct err *err);

/* The first half of it, unless they know the pattern already; *sent: they did not. */
bool shared_pins_send(
	struct vault *vault, const char *pattern, int64_t now_s, bool dry_run, bool *sent, struct err *err);

/* Lets go of it on all nodes, and then here: also of one that is this node's alone. ERR_NOT_FOUND where there
 * is none. */
bool shared_pins_remove(
	struct vault *vault, struct catalog *catalog, const char *pattern, int64_t now_s, struct err *err);

/* Takes here what all nodes have of that pattern. */
bool shared_pins_take(struct vault *vault, struct catalog *catalog, const struct name *name, struct err *err);

#endif
