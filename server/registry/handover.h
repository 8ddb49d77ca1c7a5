/* SPDX-License-Identifier: Apache-2.0
 *
 * Hands what a data folder has over to what nodes share: tombstones, each artifact's bytes before what they
 * are, documentation, what is held back or was decided of that, tokens that are valid, and pins. Changes
 * nothing in the folder, beside a daemon or not. What is there already is not sent again, so that whoever is
 * interrupted begins anew and goes on. */
#ifndef SERVER_REGISTRY_HANDOVER_H
#define SERVER_REGISTRY_HANDOVER_H

#include <stdbool.h>

#include "common/err.h"
#include "server/registry/handover_item.h"

/* Tells of each item. False where it cannot go on (ERR_STORE_UNAVAILABLE, or the folder cannot be read): what
 * was told of is there. */
bool handover_run(const struct handover *handover, struct err *err);

#endif
