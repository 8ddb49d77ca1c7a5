/* SPDX-License-Identifier: Apache-2.0
 *
 * One model in several formats: a module and its deployments, in a list and on a page. */
#ifndef SERVER_WEB_RELATIVES_H
#define SERVER_WEB_RELATIVES_H

#include <jansson.h>

#include "server/web/view.h"

/* In a row of a folded list, the formats in which the module comes besides its own. */
void relatives_write_line(struct view *view, const json_t *module);

/* A panel a format, which scripts make tabs of, with all that come in it; nothing where a version stands
 * alone.
 */
void relatives_write_panels(struct view *view, const json_t *module, const json_t *version);

#endif
