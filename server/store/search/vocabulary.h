/* SPDX-License-Identifier: Apache-2.0
 *
 * The words that modules are called by and filed under, with how many handles have each: what a mistyped word
 * may have meant, and how usual one is. Words are lower case. */
#ifndef SERVER_STORE_SEARCH_VOCABULARY_H
#define SERVER_STORE_SEARCH_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

#include "common/own.h"

struct vocabulary;

struct vocabulary *vocabulary_create(void);
void vocabulary_destroy(struct vocabulary *vocabulary);
AUTO_CLEANER(own_vocabulary, struct vocabulary *, vocabulary_destroy)
#define AUTO_VOCABULARY AUTO(own_vocabulary)

/* Knows a word from now on; with `uses` more handles that have it. */
void vocabulary_add(struct vocabulary *vocabulary, const char *word, size_t length, uint32_t uses);

/* How many handles have it. */
uint32_t vocabulary_uses(const struct vocabulary *vocabulary, const char *word, size_t length);

/* The word that was meant by one that is not known, the most usual of those that are near; NULL: none is, or
 * it is too short or too long to tell. Looks at one number a word, and at few words themselves. */
const char *vocabulary_nearest(const struct vocabulary *vocabulary, const char *word);

#endif
