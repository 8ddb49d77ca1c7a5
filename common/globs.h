/* SPDX-License-Identifier: Apache-2.0
 *
 * Shell patterns over names, in lists separated by commas or blanks; "*" crosses "/". */
#ifndef COMMON_GLOBS_H
#define COMMON_GLOBS_H

#include <stdbool.h>

/* Whether one of the patterns in the list matches; an empty list matches nothing. */
bool globs_match(const char *list, const char *name);

#endif
