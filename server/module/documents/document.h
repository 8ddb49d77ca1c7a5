/* SPDX-License-Identifier: Apache-2.0
 *
 * A module's documentation: Markdown from strangers, made into HTML that is safe to show. */
#ifndef SERVER_MODULE_DOCUMENTS_DOCUMENT_H
#define SERVER_MODULE_DOCUMENTS_DOCUMENT_H

/* Blocks and spans inside of each other; what lies deeper is left out. */
enum { DOCUMENT_DEPTH_MAX = 100 };

/* The hosts (a list as in hub.hosts; NULL: none) that a server stands for, and what its own addresses begin
 * with: in links, and in code, which runs elsewhere (NULL: code stays as it is). */
struct document_home {
	const char *hosts;
	const char *root;
	const char *url;
};

/* An HTML fragment (GitHub's tables, strikethrough and bare links included); free() it. Raw HTML is left out,
 * links and images lead only to http, https, mailto and relative addresses, and links to modules of the
 * home's hosts lead home. The caller has bounded the text; what would take the parser seconds or tens of
 * megabytes (hundreds of thousands of signs, a paragraph of thousands of links in emphasis) is shown as it
 * stands, and so are tables of thousands of columns and bare addresses where one paragraph is full of them.
 */
char *document_render(const char *markdown, const struct document_home *home);

/* The same as a section of a page of its own: headings begin one level lower, images are links to themselves
 * (a page loads nothing from elsewhere), and the opening of a catalogue's document ("# Module acme/model/1"
 * and the sentence below it), which the page has said already, is left out. */
char *document_render_section(const char *markdown, const struct document_home *home);

#endif
