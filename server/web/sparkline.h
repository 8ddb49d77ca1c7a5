/* SPDX-License-Identifier: Apache-2.0
 *
 * Downloads of a year as a line of a few letters' height. */
#ifndef SERVER_WEB_SPARKLINE_H
#define SERVER_WEB_SPARKLINE_H

#include <jansson.h>

#include "server/web/view.h"

/* daily: the API's, {"2026-11-28": 3, …}. Nothing where nobody has downloaded anything. */
void sparkline_write(struct view *view, const json_t *daily);

#endif
