/* SPDX-License-Identifier: Apache-2.0
 *
 * Collections in a list, one card each. */
#ifndef SERVER_WEB_COLLECTIONS_PAGE_H
#define SERVER_WEB_COLLECTIONS_PAGE_H

#include <jansson.h>

#include "server/web/view.h"

/* An ordered list of the API's collections. */
void collections_page_write_cards(struct view *view, const json_t *collections);

#endif
