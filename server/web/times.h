/* SPDX-License-Identifier: Apache-2.0
 *
 * Times of the API ("2026-11-21T01:02:03Z") as people read them; the exact one is the element's title. */
#ifndef SERVER_WEB_TIMES_H
#define SERVER_WEB_TIMES_H

#include "server/web/view.h"

struct span_text {
	char text[32];
};

/* A length of time in one unit, rounded down: "20 s", "3 min", "2 h", "1 day". */
struct span_text times_span(int64_t span_s);

/* "3 min ago"; its day where that is more than a month, or yet to come. The activity page's script keeps it
 * true. */
void times_write_ago(struct view *view, const char *time);

/* "2026-11-21" */
void times_write_day(struct view *view, const char *time);

#endif
