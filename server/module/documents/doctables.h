/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of rendered documents, made fit for those who cannot see them. */
#ifndef SERVER_MODULE_DOCUMENTS_DOCTABLES_H
#define SERVER_MODULE_DOCUMENTS_DOCTABLES_H

/* Takes over what document_render_section() made; free() what it gives. A head without a word is a cell. */
char *doctables_finish(char *html);

#endif
