/* SPDX-License-Identifier: Apache-2.0
 *
 * larder gc over a bucket: sweeps it, under a lease so that one node does. */
#ifndef SERVER_COMMAND_BUCKET_GC_H
#define SERVER_COMMAND_BUCKET_GC_H

#include <stdbool.h>
#include <stdint.h>

struct catalog;
struct config;

/* What this node knows of names is asked of its catalog; NULL: nothing. An exit status. */
int bucket_gc(const struct config *config, struct catalog *catalog, int64_t grace_s, bool dry_run);

#endif
