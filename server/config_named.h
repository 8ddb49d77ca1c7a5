/* SPDX-License-Identifier: Apache-2.0
 *
 * Sections of which there may be several, each with a name, which is the first member of its struct. */
#ifndef SERVER_CONFIG_NAMED_H
#define SERVER_CONFIG_NAMED_H

#include <stdbool.h>
#include <stddef.h>

#include "server/config_keys.h"
#include "server/config_values.h"

enum { NAMED_LENGTH_MAX = 32, NAMED_KEYS_MAX = 16 };

struct named {
	const char *word;
	const char *article;
	const char *example;
	const struct key *keys;
	size_t key_count;
	size_t required; /* so many keys, from the first, which are texts, must be set */
	size_t most;
	size_t size;         /* of its struct; … */
	size_t items_offset; /* … in struct config, where they are, */
	size_t count_offset; /* … and how many */
};

/* The kind of section that this word begins; or that this key belongs to. NULL: there may be one only. */
const struct named *named_find(const char *word, size_t length);
const struct named *named_of(const struct key *key);

/* How many there are; their structs, which the next named_add() may move. */
size_t named_count(const struct named *named, const struct config *config);
void *named_item(const struct named *named, const struct config *config, size_t number);
void *named_last(const struct named *named, const struct config *config);

/* Adds one with its defaults, but for what must be set. */
void *named_add(struct config *config, const struct named *named, const char *name);

/* Whether a text can be a name: 1 to NAMED_LENGTH_MAX letters, digits and ._-; whether there is one of it. */
bool named_fits(const char *name);
bool named_is_taken(const struct named *named, const struct config *config, const char *name);

#endif
