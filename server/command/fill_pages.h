/* SPDX-License-Identifier: Apache-2.0
 *
 * What a registry fetches and what ended lately, of all pages together. */
#ifndef SERVER_COMMAND_FILL_PAGES_H
#define SERVER_COMMAND_FILL_PAGES_H

#include <jansson.h>

#include "server/command/remote.h"

/* GETs the list of fills to its end: {"fills": […], "recent": […], "total": n}, where one that ended while
 * the pages came is in one of the two at least. The caller owns *out. */
bool fill_pages_read(struct remote *remote, json_t **out, struct err *err);

#endif
