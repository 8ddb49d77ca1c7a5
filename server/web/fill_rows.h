/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of downloads from upstreams: those that run, and those that ended lately. The script
 * (static/activity.js) writes the same rows. */
#ifndef SERVER_WEB_FILL_ROWS_H
#define SERVER_WEB_FILL_ROWS_H

#include <jansson.h>

#include "server/web/view.h"

/* The section of those that run, for the caller to end. */
void fill_rows_begin_running(struct view *view, const json_t *fills);
void fill_rows_write_ended(struct view *view, const json_t *fills);

/* A row's head: the version as a link, and the format. */
void fill_rows_write_name(struct view *view, const json_t *row);

/* "12.3 MiB of 45.0 MiB", "3.1 MiB/s", "20 s left" with commas between, as far as it is known. */
void fill_rows_write_progress(struct view *view, const json_t *fill);

/* What state a fill is in, in words. */
const char *fill_rows_state(const json_t *fill);

#endif
