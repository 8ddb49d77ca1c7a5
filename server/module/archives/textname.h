/* SPDX-License-Identifier: Apache-2.0
 *
 * Which files of an archive are texts, by their names. */
#ifndef SERVER_MODULE_ARCHIVES_TEXTNAME_H
#define SERVER_MODULE_ARCHIVES_TEXTNAME_H

#include <stdbool.h>

/* Whether a file of this path is a text and nothing else, by the end of its name or by the whole of it. */
bool textname_is_text(const char *path);

#endif
