/* SPDX-License-Identifier: Apache-2.0
 *
 * The filters of the list of modules: a group of checkboxes for each facet that the API counts. */
#ifndef SERVER_WEB_FILTERS_H
#define SERVER_WEB_FILTERS_H

#include <jansson.h>

#include "server/web/view.h"

/* All groups that have a choice, with what the request has chosen checked; values that are too many to be
 * listed are reached by a field that narrows the group. answer: the API's, with facets. */
void filters_write(struct view *view, const json_t *answer);

/* What the request has chosen, each as a link that takes it back. Nothing where nothing is chosen. */
void filters_write_chosen(struct view *view);

/* How many filters the request has set. */
size_t filters_count(const struct request *request);

/* A value in words, where it does not speak for itself: of a fine_tunable "true", "yes". Else the value. */
const char *filters_word(const char *key, const char *value);

#endif
