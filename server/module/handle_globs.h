/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of patterns that handles are held against, where one handle of Kaggle's has many spellings. */
#ifndef SERVER_MODULE_HANDLE_GLOBS_H
#define SERVER_MODULE_HANDLE_GLOBS_H

#include <stdbool.h>

#include "common/err.h"

/* Whether a pattern of the list matches the handle as it is, or, where it is one of Kaggle's, with the
 * framework's own word in both. */
bool handle_globs_match(const char *list, const char *handle);

/* Whether there can be a handle that one pattern matches: a handle has a publisher and a name. Only what
 * stands before the first sign that means others is looked at. */
bool handle_glob_can_match(const char *glob);

/* ERR_BAD_REQUEST where a pattern of the list can match none, which names it. */
bool handle_globs_check(const char *list, struct err *err);

#endif
