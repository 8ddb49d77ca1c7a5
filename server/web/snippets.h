/* SPDX-License-Identifier: Apache-2.0
 *
 * The code with which each client loads a version from this very server. */
#ifndef SERVER_WEB_SNIPPETS_H
#define SERVER_WEB_SNIPPETS_H

#include <jansson.h>
#include <stdbool.h>

#include "server/web/view.h"

/* One panel a client, for those whose formats the version has; where it is only listed, for those that its
 * module is listed with. */
bool snippets_have_any(const json_t *module, const json_t *version);
void snippets_write(struct view *view, const json_t *module, const json_t *version);

#endif
