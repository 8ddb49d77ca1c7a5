/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents as HTML, each made once and kept as long as there is room: so that a large one costs whoever
 * looks at it no more than its bytes. */
#ifndef SERVER_MODULE_DOCUMENTS_RENDERINGS_H
#define SERVER_MODULE_DOCUMENTS_RENDERINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/own.h"
#include "server/module/documents/document.h"

struct renderings;

/* Keeps up to so many bytes of HTML; hosts as in struct document_home, copied. */
struct renderings *renderings_create(const char *hosts, size_t bytes_max);
void renderings_destroy(struct renderings *renderings);
AUTO_CLEANER(own_renderings, struct renderings *, renderings_destroy)
#define AUTO_RENDERINGS AUTO(own_renderings)

/* What document_render(), or for a section document_render_section(), gives for a home at this root and url,
 * finished by doccode_finish(); free() it. One that is being made for another caller is waited for. */
char *renderings_find(struct renderings *renderings, const char *markdown, const char *root, const char *url,
	bool is_section);

#endif
