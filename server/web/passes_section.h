/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the activity page that tells when all that is stored was last held against its digests. */
#ifndef SERVER_WEB_PASSES_SECTION_H
#define SERVER_WEB_PASSES_SECTION_H

#include <jansson.h>

#include "server/web/view.h"

/* Nothing where that was never done. */
void passes_section_write(struct view *view, const json_t *passes);

#endif
