/* SPDX-License-Identifier: Apache-2.0
 *
 * What differs between two versions, as a verdict and tables. */
#ifndef SERVER_WEB_DIFFERENCES_H
#define SERVER_WEB_DIFFERENCES_H

#include <jansson.h>

#include "server/web/view.h"

/* The whole of the API's answer to /api/v1/diff. */
void differences_write(struct view *view, const json_t *diff);

#endif
