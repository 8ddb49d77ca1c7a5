/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes on right now, as JSON: fills, disk, hits, and what came here last. */
#ifndef SERVER_API_ACTIVITY_H
#define SERVER_API_ACTIVITY_H

#include <jansson.h>

#include "common/err.h"
#include "server/registry/services.h"

/* NULL where the catalog or the disk cannot be read. */
json_t *activity_json(const struct services *services, struct err *err);

#endif
