/* SPDX-License-Identifier: Apache-2.0
 *
 * Code in documentation, as the renderer has written it: what it loads from the hosts that a server stands
 * for is loaded from the server. */
#ifndef SERVER_MODULE_DOCUMENTS_DOCCODE_H
#define SERVER_MODULE_DOCUMENTS_DOCCODE_H

#include <stdbool.h>

#include "server/module/documents/document.h"

/* What the opening tag of code begins with in which an address was led home; no document can say it. */
#define DOCCODE_LED "<code data-led"

/* Takes over what document_render() made; free() what it gives. In code, and nowhere else, addresses of
 * modules on the home's hosts begin with the home's url (NULL: they stay), up to a few megabytes of text; all
 * other text is as it was. Of a section, blocks of code and tables are boxes that can be focused, and code
 * can be copied. */
char *doccode_finish(char *html, const struct document_home *home, bool is_section);

#endif
