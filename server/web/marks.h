/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts in which the words of a search are marked. */
#ifndef SERVER_WEB_MARKS_H
#define SERVER_WEB_MARKS_H

#include "server/web/html.h"

/* The text, escaped, with <mark> around each of these words (with blanks between them) in any case; words of
 * one or two letters only where a word begins with them. NULL: none is marked. */
void marks_write(struct html *html, const char *text, const char *words);

#endif
