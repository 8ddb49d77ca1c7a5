/* SPDX-License-Identifier: Apache-2.0
 *
 * The API's JSON as tables for people: modules, versions, artifacts, signatures. What a server leaves out or
 * gives otherwise than the interface says is shown as nothing. */
#ifndef SERVER_COMMAND_LISTING_H
#define SERVER_COMMAND_LISTING_H

#include <jansson.h>

#include "server/command/text_table.h"

/* Adds the headings of a list of modules, and a page of it. */
void listing_begin_modules(struct text_table *table);
void listing_add_modules(struct text_table *table, const json_t *modules);

/* The same of a module's versions. */
void listing_begin_versions(struct text_table *table);
void listing_add_versions(struct text_table *table, const json_t *versions);

/* Prints a version's artifacts; meta graphs' signatures and callables, a row a tensor.
 */
void listing_print_artifacts(const json_t *version);
/* Says on standard error that the listing is one in part, where it is, and of how many. */
void listing_tell_truncated(const json_t *listing);
void listing_print_signatures(const json_t *meta_graphs);
/* The same of each format of a version that has any, behind an empty line. */
void listing_print_models(const json_t *version);

/* Prints "key: value", with a tab behind the colon where no person reads it; nothing for an empty value. What
 * cannot be shown on a terminal becomes blanks in it. */
void listing_print_fact(const char *key, char *value);

/* Prints a few members of an object as "key: value", where they are there. */
void listing_print_facts(const json_t *object, const char *const *keys);

/* Prints what was added to the table to standard output, at once: aligned on a terminal and as wide as that,
 * tab-separated and whole elsewhere. */
void listing_print(struct text_table *table);

/* Prints JSON, on a terminal without anything that is not ASCII. */
void listing_print_json(const json_t *json);

/* Prints {"<things>": […], "total": n} item by item, as pages come. */
struct listing_items {
	const char *things;
	long long count; /* printed so far */
};
void listing_begin_json(struct listing_items *items, const char *things);
void listing_add_json(struct listing_items *items, const json_t *page);
void listing_end_json(const struct listing_items *items);

#endif
