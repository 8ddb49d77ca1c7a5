/* SPDX-License-Identifier: Apache-2.0
 *
 * A publisher's page: who that is, its collections, its modules. */
#ifndef SERVER_WEB_PUBLISHER_PAGE_H
#define SERVER_WEB_PUBLISHER_PAGE_H

#include "server/http/reply.h"
#include "server/web/view.h"

void publisher_page_describe(struct view *view, const char *name, struct reply *reply);

#endif
