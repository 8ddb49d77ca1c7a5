/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the activity page that tells which programs are told what happens here, and how that goes. */
#ifndef SERVER_WEB_WEBHOOKS_SECTION_H
#define SERVER_WEB_WEBHOOKS_SECTION_H

#include "server/web/view.h"

/* Nothing where none is configured. */
void webhooks_section_write(struct view *view);

#endif
