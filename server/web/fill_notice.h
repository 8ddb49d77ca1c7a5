/* SPDX-License-Identifier: Apache-2.0
 *
 * What whoever waits for a version is shown while it is not here: how to have it fetched, or how far that is.
 */
#ifndef SERVER_WEB_FILL_NOTICE_H
#define SERVER_WEB_FILL_NOTICE_H

#include "server/module/name.h"
#include "server/web/view.h"

/* A notice that a script keeps up to date. query ("?tf-hub-format=compressed", or "") is that of the artifact
 * to fetch, and lead the sentence to begin with, a literal, where nothing is being fetched. */
void fill_notice_write(
	struct view *view, const struct name *name, const char *query, const char *title, const char *lead);

#endif
