/* SPDX-License-Identifier: Apache-2.0
 *
 * The only writer of HTML: markup is a literal of the program, and whatever is put into it is escaped. */
#ifndef SERVER_WEB_HTML_H
#define SERVER_WEB_HTML_H

#include "common/buffer.h"

struct html {
	struct buffer out;
};
void html_finish(struct html *html);

/* Appends a literal as printf would, with %s (escaped, for text and for quoted attributes), %d, PRId64 and %%
 * only; the compiler checks the types, and that the markup is a literal. Bytes that are not UTF-8, controls
 * and the characters that turn the direction of a line are shown as a replacement character. */
#define HTML(html, literal, ...) html_write((html), "" literal, ##__VA_ARGS__)
void html_write(struct html *html, const char *literal, ...) __attribute__((format(printf, 2, 3)));

/* Appends what document_render() made, which is markup and safe. */
void html_document(struct html *html, const char *rendered);

/* Percent-encoded for a path or the value of a query, and then escaped: "%s" cannot know what a slash means.
 */
void html_path(struct html *html, const char *path);
void html_query_value(struct html *html, const char *value);

#endif
