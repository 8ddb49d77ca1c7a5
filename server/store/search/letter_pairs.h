/* SPDX-License-Identifier: Apache-2.0
 *
 * Which pairs of neighbouring characters a text has, each hashed to one bit: most texts that lack a word can
 * be told by that, without being read. */
#ifndef SERVER_STORE_SEARCH_LETTER_PAIRS_H
#define SERVER_STORE_SEARCH_LETTER_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

struct letter_pairs {
	uint64_t bits[2];
};

struct letter_pairs letter_pairs_of(const char *text);

/* False: the text of these pairs does not have the word of those. Inline, as searches ask it of every name.
 */
static inline bool letter_pairs_have(const struct letter_pairs *pairs, const struct letter_pairs *wanted)
{
	return ((wanted->bits[0] & ~pairs->bits[0]) | (wanted->bits[1] & ~pairs->bits[1])) == 0;
}

#endif
