/* SPDX-License-Identifier: Apache-2.0
 *
 * A module's documentation: Markdown from strangers, made into HTML that is safe to show. */
#ifndef SERVER_MODULE_DOCUMENT_H
#define SERVER_MODULE_DOCUMENT_H

/* An HTML fragment (GitHub's tables, strikethrough and bare links included); free() it. Raw HTML is left out,
 * and links and images lead only to http, https, mailto and relative addresses. The caller has bounded the
 * text. */
char *document_render(const char *markdown);

#endif
