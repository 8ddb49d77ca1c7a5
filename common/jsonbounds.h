/* SPDX-License-Identifier: Apache-2.0
 *
 * What the text of somebody else's JSON would cost a parser that makes a tree of it: asked before it does. */
#ifndef COMMON_JSONBOUNDS_H
#define COMMON_JSONBOUNDS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the text has more objects and arrays, or more values, than these. What stands in strings counts as
 * nothing. Of text that is no JSON either answer may come. */
bool json_exceeds(const char *text, size_t length, size_t containers_max, size_t values_max);

#endif
