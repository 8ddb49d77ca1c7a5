/* SPDX-License-Identifier: Apache-2.0
 *
 * How near two words are: what somebody meant who mistyped one. */
#ifndef COMMON_NEARNESS_H
#define COMMON_NEARNESS_H

#include <stddef.h>

/* NEARNESS_WORD_MAX: the bytes of a word that is compared at all. */
enum { NEARNESS_WORD_MAX = 32 };

/* How many letters were put in, left out, exchanged for another or for their neighbour (ASCII, any case): at
 * most `max`, or max + 1 where it is more than that or a word is too long. */
size_t nearness_distance(const char *a, const char *b, size_t max);

/* How far from a word of this length one may be that was meant: none for the shortest. */
size_t nearness_slack(size_t length);

/* The name of a table that was meant by this one, which is none of them; NULL: none is near. */
const char *nearness_find(const char *const *names, size_t count, const char *name);

#endif
