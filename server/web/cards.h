/* SPDX-License-Identifier: Apache-2.0
 *
 * Modules in a list, one card each, as home, publishers and collections show them. */
#ifndef SERVER_WEB_CARDS_H
#define SERVER_WEB_CARDS_H

#include <jansson.h>

#include "server/web/view.h"

/* Chips at the head of a module's or a collection's own page. */
enum { TAGS_IN_A_HEAD = 32 };

/* An ordered list of the API's modules, in which these words are marked (NULL: none are). */
void cards_write(struct view *view, const json_t *modules, const char *words);

/* The chips of an object of tags, {"task": ["text-embedding"], …}, each a link to what else has it; at most
 * so many. */
void cards_write_tags(struct view *view, const json_t *tags, size_t max);

/* "Did you mean …?", where the API's answer says so; path is the list's own. */
void cards_write_meant(struct view *view, const char *path, const json_t *list);

/* "The link to the page behind this one", where the API's "next" names one; path is the page's own. */
void cards_write_next(struct view *view, const char *path, const json_t *list);

/* 1 234 567 */
struct count_text {
	char text[32];
};
struct count_text count_text(int64_t number);

#endif
