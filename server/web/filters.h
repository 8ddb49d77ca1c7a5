/* SPDX-License-Identifier: Apache-2.0
 *
 * The filters of the list of modules: a group of checkboxes for each facet that the API counts. */
#ifndef SERVER_WEB_FILTERS_H
#define SERVER_WEB_FILTERS_H

#include <jansson.h>

#include "server/web/view.h"

/* All groups that have a choice, with what the request has chosen checked. */
void filters_write(struct view *view, const json_t *facets);

/* How many filters the request has set. */
size_t filters_count(const struct request *request);

#endif
