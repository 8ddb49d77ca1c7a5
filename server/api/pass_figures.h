/* SPDX-License-Identifier: Apache-2.0
 *
 * How the passes over the store stand, in which every blob is held against its digest. */
#ifndef SERVER_API_PASS_FIGURES_H
#define SERVER_API_PASS_FIGURES_H

#include <jansson.h>

#include "common/err.h"
#include "server/registry/services.h"

/* {"scrub_days", "scrub": {…}, "verify": {…}}; a kind of which there was none is null. */
json_t *pass_figures(const struct services *services, struct err *err);

#endif
