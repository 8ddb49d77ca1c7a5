/* SPDX-License-Identifier: Apache-2.0
 *
 * The scrub: has the whole store read once in so many days, at the pace that this takes, behind everybody
 * else. Goes on where an earlier process left it; what is damaged is given to nobody, and told in the log. */
#ifndef SERVER_REGISTRY_SCRUB_H
#define SERVER_REGISTRY_SCRUB_H

#include "common/err.h"
#include "common/own.h"
#include "server/registry/blob_losses.h"

struct scrub;

/* Starts its thread; what the losses are of must outlive it. days 0: it does nothing, and *out is NULL.
 * destroy takes NULL. */
bool scrub_create(const struct blob_losses *losses, int64_t days, struct scrub **out, struct err *err);
void scrub_destroy(struct scrub *scrub);
AUTO_CLEANER(own_scrub, struct scrub *, scrub_destroy)
#define AUTO_SCRUB AUTO(own_scrub)

#endif
