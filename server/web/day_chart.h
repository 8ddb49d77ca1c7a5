/* SPDX-License-Identifier: Apache-2.0
 *
 * The last day as bars, one for each half-hour, of the API's "history". */
#ifndef SERVER_WEB_DAY_CHART_H
#define SERVER_WEB_DAY_CHART_H

#include <jansson.h>

#include "server/web/view.h"

/* What the bars are of, for those who cannot see them, with the numbers written by write (bytes, requests).
 */
struct day_chart {
	const char *id; /* by which the script finds it */
	const char *label;
	const json_t *lower;
	const json_t *upper; /* stands on it; NULL: nothing does */
	bool in_bytes;
};

void day_chart_write(struct view *view, const struct day_chart *chart);

#endif
