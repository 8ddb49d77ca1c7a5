/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the activity page about what nodes share: their store, leases, and whom this one follows. */
#ifndef SERVER_WEB_STORE_SECTION_H
#define SERVER_WEB_STORE_SECTION_H

#include <jansson.h>

#include "server/web/view.h"

/* Nothing where it shares nothing. */
void store_section_write(struct view *view, const json_t *store);

#endif
