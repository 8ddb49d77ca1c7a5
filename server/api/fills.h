/* SPDX-License-Identifier: Apache-2.0
 *
 * Fills as JSON. */
#ifndef SERVER_API_FILLS_H
#define SERVER_API_FILLS_H

#include <jansson.h>

#include "common/err.h"
#include "server/api/ask.h"
#include "server/registry/mirror.h"

/* One of a list; of one that has ended also when, and of a failed one why. */
json_t *fill_json(const struct fill_status *fill);

/* Adds "code" and "detail", as a problem would tell them. */
void fill_add_refusal(json_t *object, const struct err *err);

#endif
