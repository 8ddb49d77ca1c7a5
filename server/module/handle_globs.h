/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of patterns that handles are held against, where one handle of Kaggle's has many spellings. */
#ifndef SERVER_MODULE_HANDLE_GLOBS_H
#define SERVER_MODULE_HANDLE_GLOBS_H

#include <stdbool.h>

/* Whether a pattern of the list matches the handle as it is, or, where it is one of Kaggle's, with the
 * framework's own word in both. */
bool handle_globs_match(const char *list, const char *handle);

#endif
